"""Messages that are valid in form and absurd in value, for properties."""

import types
import typing
from datetime import datetime
from enum import Enum
from typing import Any

from hypothesis import strategies as st
from pydantic import AwareDatetime

from countersign.contracts.message import Message
from countersign.contracts.messages import (
    EVENTS,
    PipelineDeleted,
    PipelineObserved,
    PipelineRef,
    PromotionRef,
)

TIMES = (
    "0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999-14:00",
    "9999-12-31T23:59:59Z", "1970-01-01T00:00:00Z", "2026-11-23T14:02:00Z",
)  # fmt: skip
TEXTS = (
    "prod", "staging", "x" * 5_000, "\u202egnp", "\x00", "{0} {x} {", "%s", "<b>", "\U0010ffff",
    "a\nb", "=1+1", "..", "/", "6.9.0", "main@sha1:" + "0" * 40, "https://[::1", "٣",
)  # fmt: skip
NUMBERS = (-(2**31), -1, 0, 1, 2**31 - 1)


_TIMES = st.sampled_from(TIMES).map(datetime.fromisoformat)


def values(annotation: Any) -> st.SearchStrategy[Any]:  # noqa: PLR0911 - one for each kind of field
    """Values for a field of that type, most of them extreme."""
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return values(inner[0])
    if origin in {typing.Union, types.UnionType}:
        return st.one_of(*(values(a) for a in inner))
    if origin is tuple:
        return st.lists(values(inner[0]), max_size=2).map(tuple)
    if annotation is type(None):
        return st.none()
    if annotation is PromotionRef:
        return st.sampled_from((REF, REF.model_copy(update={"attempt": 2**31 - 1})))
    if annotation is PipelineRef:
        return st.just(REF.pipeline)
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return st.sampled_from(list(annotation))
    if isinstance(annotation, type) and issubclass(annotation, Message):
        return messages(annotation)
    plain: dict[Any, st.SearchStrategy[Any]] = {
        str: st.sampled_from(TEXTS),
        int: st.sampled_from(NUMBERS),
        bool: st.booleans(),
        bytes: st.just(b"\xff"),
        float: st.sampled_from((0.0, -1.0, 1e308)),
        datetime: _TIMES,
        AwareDatetime: _TIMES,
    }
    return plain[annotation]


REF = PromotionRef(
    promotion_id="abcdefghijklmnop",
    pipeline=PipelineRef(namespace="shop", name="checkout", uid="u"),
    environment="prod",
    attempt=1,
)


def messages(model: type[Message]) -> st.SearchStrategy[Any]:
    fields = {name: values(field.annotation) for name, field in model.model_fields.items()}
    # Not validated: what a later parser refuses is still survived.
    return st.fixed_dictionaries(fields).map(lambda found: model.model_construct(**found))


events: st.SearchStrategy[Message] = st.one_of(
    *(messages(m) for m in EVENTS if m is not PipelineDeleted)
)
observations = messages(PipelineObserved)
