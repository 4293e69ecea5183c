"""The start of a service: `--help` lists its variables, and a wrong one costs one line."""

import argparse
import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from pydantic import ValidationError
from pydantic_settings import BaseSettings

from countersign.contracts.errors import Rejected

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
def refusals_told(program: str) -> Iterator[None]:
    """Around reading what we are told from outside: a line for people, and the end."""
    try:
        yield
    except ValidationError as error:
        told = _faults(error)
    except Rejected as error:
        told = error.message
    else:
        return
    sys.stderr.write(f"{program}: {told}\n")
    raise SystemExit(EXIT_SETTINGS)


def _describe(settings: tuple[type[BaseSettings], ...]) -> str:
    described = [line for model in settings for line in _fields(model)]
    width = max(len(name) for name, _ in described)
    lines = (f"  {name:<{width}}  {text}" for name, text in described)
    return "\n".join(("settings are environment variables:", *lines))


def _fields(model: type[BaseSettings]) -> Iterator[tuple[str, str]]:
    """Settings within settings have variables, and a prefix, of their own."""
    prefix = model.model_config.get("env_prefix", "")
    for name, field in model.model_fields.items():
        inner = field.annotation
        if inspect.isclass(inner) and issubclass(inner, BaseSettings):
            yield from _fields(inner)
        else:
            yield f"{prefix}{name}".upper(), str(field.description)


def _faults(error: ValidationError) -> str:
    # Without the input: it could be anything that stands in an environment.
    details = error.errors(include_url=False, include_input=False, include_context=False)
    # Whose settings they are, only their name tells.
    models = (m for m in BaseSettings.__subclasses__() if m.__name__ == error.title)
    prefix = next((m.model_config.get("env_prefix", "") for m in models), "COUNTERSIGN_")
    return "; ".join(
        f"{prefix}{'_'.join(map(str, d['loc']))}".upper() + f": {d['msg']}"
        if d["loc"]
        else d["msg"].removeprefix("Value error, ")
        for d in details
    )
