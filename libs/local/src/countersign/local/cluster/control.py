"""The control file beside the objects: failures on demand."""

from enum import StrEnum
from pathlib import Path
from typing import Final

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from countersign.contracts.errors import Rejected
from countersign.local.cluster.objects import Key
from countersign.local.refusals import LocalRefusal

FILE_NAME: Final = ".control.yaml"
BYTES_MAX: Final = 256 * 1024  # a list written by hand or by a test


class Fate(StrEnum):
    """The end that an attempt at a revision is to take."""

    SUCCEED = "succeed"
    FAIL = "fail"
    ROLLBACK = "rollback"
    NEVER_READY = "never-ready"
    MISSING = "missing"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Target(_Part):
    """An object; an empty part matches any."""

    kind: str = ""
    namespace: str = ""
    name: str = ""

    def matches(self, key: Key) -> bool:
        wanted = (self.kind, self.namespace, self.name)
        return all(not w or w == have for w, have in zip(wanted, key, strict=True))


class Failure(Target):
    revision: str = Field(
        default="", description="Chart version, or what the revision ends with; empty: every one."
    )
    how: Fate = Fate.FAIL


class Control(_Part):
    """The whole file. What it lists last wins."""

    fail: tuple[Failure, ...] = ()
    slow_s: float = Field(default=0, ge=0, le=600, description="Added to every action, seconds.")
    unhealthy: tuple[Target, ...] = Field(
        default=(), description="Objects whose workload is not ready, whatever their revision."
    )

    def is_unhealthy(self, key: Key) -> bool:
        return any(t.matches(key) for t in self.unhealthy)

    def fate(self, key: Key, revision: str) -> Fate:
        if self.is_unhealthy(key):
            return Fate.NEVER_READY
        found = Fate.SUCCEED
        for failure in self.fail:
            if failure.matches(key) and _names(failure.revision, revision):
                found = failure.how
        return found


def _names(wanted: str, revision: str) -> bool:
    return not wanted or revision == wanted or revision.endswith(f":{wanted}")


def read_control(directory: Path) -> Control:
    """Read the control file; without one nothing goes wrong.

    Raises:
        Rejected: `bad_control`; says which field.

    """
    path = directory / FILE_NAME
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return Control()
    if len(raw) > BYTES_MAX:
        raise Rejected(LocalRefusal.BAD_CONTROL, f"{path}: larger than {BYTES_MAX} bytes")
    try:
        return Control.model_validate(yaml.safe_load(raw) or {})
    except yaml.YAMLError as error:
        raise Rejected(LocalRefusal.BAD_CONTROL, f"{path}: not YAML: {error}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise Rejected(LocalRefusal.BAD_CONTROL, f"{path}: {place}: {first['msg']}") from error


def write_control(directory: Path, control: Control) -> None:
    path = directory / FILE_NAME
    fresh = path.with_suffix(".tmp")
    fresh.write_text(yaml.safe_dump(control.model_dump(mode="json", exclude_defaults=True)))
    fresh.replace(path)
