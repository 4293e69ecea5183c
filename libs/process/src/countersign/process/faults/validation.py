"""Errors of pydantic become sentences, each with what it is about and never with what was given."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from inspect import isclass
from typing import Any, Final, get_args

from pydantic import BaseModel, ValidationError
from pydantic_settings import BaseSettings

from countersign.contracts.bounds.texts import FormError
from countersign.telemetry.redaction import redact

NAME_CHARACTERS_MAX: Final = 64
# As pydantic calls them.
UNKNOWN: Final = "extra_forbidden"
MISSING: Final = "missing"
_Detail = Mapping[str, Any]
_OF_CHOICES: Final = "literal_error"


@dataclass(frozen=True, kw_only=True)
class Wrong:
    """One thing that is wrong.

    Args:
        subject: the variable, or the place in a document; empty for the whole of it.
        code: the error's type, as pydantic has it.
        words: what is wrong, for a person.
        meant: what was probably meant, or nothing.

    """

    subject: str
    code: str
    words: str
    meant: str = ""

    def __str__(self) -> str:
        told = f"{self.subject}: {self.words}" if self.subject else self.words
        return f"{told}; did you mean {self.meant}?" if self.meant else told


def nearest(word: str, known: Iterable[str]) -> str:
    """Return what was probably meant, whatever the case; empty where nothing is near."""
    by_lower = {one.lower(): one for one in known}
    found = get_close_matches(word.lower(), by_lower, n=1)
    return by_lower[found[0]] if found else ""


def wrong_settings(error: ValidationError) -> Iterator[Wrong]:
    """Tell what is wrong with variables of the environment."""
    # Whose settings they are, only their name tells.
    models = (m for m in BaseSettings.__subclasses__() if m.__name__ == error.title)
    prefix = next((m.model_config.get("env_prefix", "") for m in models), "COUNTERSIGN_")
    for detail in _details(error):
        names = "_".join(map(str, detail["loc"]))
        subject = f"{prefix}{names}".upper() if names else ""
        words = "is required and not set" if detail["type"] == MISSING else _words(detail)
        yield Wrong(subject=subject, code=_code(detail), words=words, meant=_choice(detail))


def all_wrong_settings(
    error: ValidationError, models: Iterable[type[BaseSettings]]
) -> tuple[Wrong, ...]:
    """Tell what else is wrong with the settings of these models, so that it costs one start."""
    found = dict.fromkeys(wrong_settings(error))
    for model in models:
        try:
            model()
        except ValidationError as other:
            found |= dict.fromkeys(wrong_settings(other))
    return tuple(found)


def wrong_document(
    error: ValidationError, document: object, model: type[BaseModel]
) -> Iterator[Wrong]:
    """Tell what is wrong with a document; entries of lists are told by their names."""
    for detail in _details(error):
        loc = detail["loc"]
        meant = _choice(detail)
        if detail["type"] == UNKNOWN:
            meant = nearest(str(loc[-1]), _fields(_model_at(model, loc[:-1])))
        yield Wrong(
            subject=_place(loc, document), code=_code(detail), words=_words(detail), meant=meant
        )


def _details(error: ValidationError) -> list[_Detail]:
    return [dict(detail) for detail in error.errors(include_url=False)]


def _code(detail: _Detail) -> str:
    error = detail.get("ctx", {}).get("error")
    return error.form if isinstance(error, FormError) else str(detail["type"])


def _words(detail: _Detail) -> str:
    match detail["type"]:
        case "extra_forbidden":
            return "is not known"
        case "missing":
            return "is missing"
        case _:
            said = str(detail["msg"]).removeprefix("Value error, ")
            return redact(said.replace("Input should be", "should be", 1))


def _choice(detail: _Detail) -> str:
    """Return, of a few words, the one that is nearest to what was given."""
    if detail["type"] != _OF_CHOICES:
        return ""
    choices = str(detail.get("ctx", {}).get("expected", "")).replace(" or ", ", ").split(", ")
    return nearest(str(detail["input"]), (choice.strip("'") for choice in choices))


def _place(loc: tuple[int | str, ...], document: object) -> str:
    """Write `forges 'Ours', webhooks 'shop', secretFile`; what has no name is counted."""
    parts: list[str] = []
    at: Any = document
    for part in loc:
        at = _below(at, part)
        if isinstance(part, int):
            name = at.get("name") if isinstance(at, Mapping) else None
            is_name = isinstance(name, str) and name.isprintable() and name
            told = repr(str(name)[:NAME_CHARACTERS_MAX]) if is_name else f"entry {part + 1}"
            parts.append(f"{parts.pop()} {told}" if parts else told)
        else:
            # A key of theirs can be any text.
            parts.append(part[:NAME_CHARACTERS_MAX] if part.isprintable() else repr(part)[:64])
    return redact(", ".join(parts))


def _below(at: object, part: int | str) -> object:
    if isinstance(at, Mapping):
        return at.get(part)
    if isinstance(at, Sequence) and isinstance(part, int) and part < len(at):
        return at[part]
    return None


def _model_at(model: type[BaseModel] | None, loc: Iterable[int | str]) -> type[BaseModel] | None:
    for part in loc:
        if isinstance(part, str) and model is not None:
            fields = model.model_fields.items()
            field = next((f for name, f in fields if part in {name, f.alias}), None)
            model = next(_models(field.annotation), None) if field else None
    return model


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    if isclass(annotation) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)


def _fields(model: type[BaseModel] | None) -> Iterator[str]:
    for name, field in model.model_fields.items() if model else ():
        yield field.alias or name
