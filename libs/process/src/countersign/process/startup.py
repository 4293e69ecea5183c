"""The start of a service: `--help` lists its variables, and a wrong one costs one line."""

import argparse
import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsError

from countersign.contracts.errors import Rejected
from countersign.process.faults.validation import all_wrong_settings

EXIT_SETTINGS: Final = 2


def read_arguments(program: str, description: str, *settings: type[BaseSettings]) -> None:
    """There are none but `--help`, which describes the environment variables of `settings`."""
    parser = argparse.ArgumentParser(
        prog=program,
        description=description,
        epilog=_describe(settings),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.parse_args()


@contextmanager
def refusals_told(program: str, *settings: type[BaseSettings]) -> Iterator[None]:
    """Around reading what we are told from outside: a line for people, and the end.

    Args:
        program: whose line it is.
        settings: all that are read there, so that all that is wrong with them is told at once.

    """
    try:
        yield
    except ValidationError as error:
        told = "; ".join(map(str, all_wrong_settings(error, settings)))
    except SettingsError as error:
        # Names the field, and not what it holds.
        told = str(error)
    except Rejected as error:
        told = error.message
    else:
        return
    sys.stderr.write(f"{program}: {told}\n")
    raise SystemExit(EXIT_SETTINGS)


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One variable of an environment, as `--help` and the documents list it."""

    variable: str
    meaning: str
    # Empty where it is required, or made when the process starts.
    default: str
    required: bool

    @property
    def told(self) -> str:
        """Its meaning, and what holds without it."""
        if self.required:
            return f"{self.meaning} (required)"
        return f"{self.meaning} (default: {self.default})" if self.default else self.meaning


def settings_of(*models: type[BaseSettings]) -> Iterator[Setting]:
    """List the variables; settings within settings have variables, and a prefix, of their own."""
    for model in models:
        prefix = model.model_config.get("env_prefix", "")
        for name, field in model.model_fields.items():
            inner = field.annotation
            if inspect.isclass(inner) and issubclass(inner, BaseSettings):
                yield from settings_of(inner)
                continue
            yield Setting(
                variable=f"{prefix}{name}".upper(),
                meaning=str(field.description),
                default=""
                if field.is_required() or field.default_factory
                else _written(field.default),
                required=field.is_required(),
            )


def _written(default: object) -> str:
    if default is None or default in ("", {}, ()):
        return ""
    return str(default).lower() if isinstance(default, bool) else f"{default}"


def _describe(settings: tuple[type[BaseSettings], ...]) -> str:
    described = list(settings_of(*settings))
    width = max(len(one.variable) for one in described)
    lines = (f"  {one.variable:<{width}}  {one.told}" for one in described)
    return "\n".join(("settings are environment variables:", *lines))
