"""Settings and lists are read as far as they can be: faults are found, and the rest is tried."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar

from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsError

from countersign.checks.model import Fault, Finding, Subject
from countersign.contracts.errors import Rejected
from countersign.contracts.forge_list import ForgeList
from countersign.kube.access.http_api import KubeSettings
from countersign.messaging.settings import BusSettings
from countersign.process.configuration import BadDocument, read_document
from countersign.process.faults.validation import Wrong, wrong_settings
from countersign.process.faults.variables import unknown_variables
from countersign.setup.checks.settings import CheckSettings

FORGES: Final = "COUNTERSIGN_FORGES_FILE"

_Settings = TypeVar("_Settings", bound=BaseSettings)


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """Settings, and what is wrong with them; none where they cannot be used."""

    settings: CheckSettings
    bus: BusSettings | None
    kube: KubeSettings | None
    forges: ForgeList
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class _Reading:
    findings: list[Finding] = field(default_factory=list)

    def read(self, model: type[_Settings]) -> _Settings | None:
        try:
            return model()
        except ValidationError as error:
            self.findings.extend(map(_wrong, wrong_settings(error)))
        except SettingsError as error:
            # Names the field, and not what it holds.
            self.findings.append(_wrong(Wrong(subject=model.__name__, code="", words=str(error))))
        return None

    def forges(self, settings: CheckSettings) -> ForgeList:
        if settings.forges_file is None:
            self.findings.append(_setting(FORGES, Fault.NOT_SET))
            return ForgeList()
        try:
            return read_document(settings.forges_file, ForgeList)
        except BadDocument as error:
            self.findings.extend(map(_wrong, error.wrong))
        except Rejected as error:
            self.findings.append(_setting(FORGES, Fault.WRONG_SETTING, detail=error.message))
        return ForgeList()


def read_configuration(environment: Mapping[str, str]) -> Configuration:
    """Read all that the check tries; raises nothing for what is wrong."""
    reading = _Reading()
    settings = CheckSettings()
    bus = reading.read(BusSettings) or _unnamed_bus()
    kube = reading.read(KubeSettings)
    forges = reading.forges(settings)
    return Configuration(
        settings=settings,
        bus=bus,
        kube=kube,
        forges=forges,
        findings=(*reading.findings, *_unknown(environment)),
    )


def _unnamed_bus() -> BusSettings | None:
    """Leave out the board's address, which is not needed to try the bus."""
    try:
        return BusSettings(public_url="")
    except ValidationError:
        return None


def _unknown(environment: Mapping[str, str]) -> Iterator[Finding]:
    for variable in unknown_variables(environment):
        hint = f"did you mean {variable.meant}?" if variable.meant else ""
        yield _setting(variable.name, Fault.UNKNOWN_SETTING, detail="nobody reads it", hint=hint)


def _wrong(wrong: Wrong) -> Finding:
    hint = f"did you mean {wrong.meant}?" if wrong.meant else ""
    return _setting(wrong.subject, Fault.WRONG_SETTING, detail=wrong.words, hint=hint)


def _setting(name: str, fault: Fault, *, detail: str = "", hint: str = "") -> Finding:
    return Finding(subject=Subject.SETTING, name=name, fault=fault, detail=detail, hint=hint)
