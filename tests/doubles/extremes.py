"""Messages whose times and numbers nobody can mean, however they got past the edge."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any, TypeVar

from hypothesis import strategies as st
from pydantic import BaseModel
from reference import ROOT

from countersign.contracts.message import Message
from countersign.contracts.messages import EVENTS

_Model = TypeVar("_Model", bound=BaseModel)
TIMES: tuple[datetime, ...] = (
    datetime.max.replace(tzinfo=UTC),
    datetime.min.replace(tzinfo=UTC),
    datetime.min.replace(tzinfo=timezone(timedelta(hours=14))),
    datetime.max.replace(tzinfo=timezone(timedelta(hours=-12))),
    datetime(2199, 12, 31, tzinfo=UTC),
    datetime(1970, 1, 1, tzinfo=UTC),
)
NUMBERS = (-(2**31), -1, 0, 2**31 - 1, 2**63)
TEXTS = ("", "\u202e", "\ud800", "x" * 10_000, "\x00")


def example(model: type[_Model]) -> _Model:
    return model.model_validate_json((ROOT / f"proto/examples/{model.__name__}.json").read_bytes())


def values_like(value: Any) -> st.SearchStrategy[Any]:
    """Draw what has the type of a value and is out of all proportion."""
    if isinstance(value, datetime):
        return st.sampled_from(TIMES)
    if isinstance(value, bool):
        return st.booleans()
    if isinstance(value, int):
        return st.sampled_from(NUMBERS)
    if isinstance(value, str) and type(value) is str:
        return st.sampled_from(TEXTS)
    if isinstance(value, BaseModel):
        return extremes_of(value)
    return st.just(value)


@st.composite
def extremes_of(draw: st.DrawFn, message: _Model) -> _Model:
    """Draw a copy of which some fields are extreme; nothing checks it again."""
    fields = {name: getattr(message, name) for name in type(message).model_fields}
    wanted = draw(st.sets(st.sampled_from(sorted(fields)), max_size=3)) if fields else set()
    changes = {name: draw(values_like(fields[name])) for name in wanted}
    return message.model_copy(update=changes)


def can_arrive(message: Message) -> bool:
    """Tell whether it has a JSON form: half a character has none, so no edge lets it in."""
    return "\\ud800" not in repr(message)


def events() -> st.SearchStrategy[Message]:
    models = [
        model for model in EVENTS if (ROOT / f"proto/examples/{model.__name__}.json").exists()
    ]
    return st.sampled_from(models).flatmap(lambda model: extremes_of(example(model)))
