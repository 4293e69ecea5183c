"""Compare what other programs build on with what was released: `baseline.json`.

`buf breaking` knows messages and fields. It does not know what our options, headers and schemas
say: subjects, streams, types, required fields, whether an enum is open. `--release` writes a new
baseline, once a version of the contracts is out.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from countersign.contracts import messages, subjects
from countersign.contracts.message import Message
from countersign.contracts.wire import cloud_events

PROTO = Path(__file__).parent
BASELINE = PROTO / "baseline.json"
Json = dict[str, Any]


def promised() -> Json:
    """What the contracts promise now."""
    schemas = [json.loads(path.read_text()) for path in sorted((PROTO / "schemas").glob("*.json"))]
    shapes = {name: shape for schema in schemas for name, shape in schema.get("$defs", {}).items()}
    shapes |= {schema["title"]: schema for schema in schemas}
    return {
        "events": {model.__name__: _event(model) for model in messages.EVENTS},
        "headers": {
            name: "always" if name in cloud_events.REQUIRED_HEADERS else "where known"
            for name in cloud_events.HEADERS
        },
        "required": {name: sorted(s.get("required", [])) for name, s in shapes.items()},
        "fields": {name: _fields(shape) for name, shape in shapes.items() if "properties" in shape},
        "enums": {name: _enum(shape) for name, shape in shapes.items() if "anyOf" in shape},
    }


def broken(released: Json, now: Json, *, place: str = "") -> Iterator[str]:
    """Name what was released and is not so any more; what is new breaks nobody."""
    for key, before in released.items():
        here = f"{place}.{key}".lstrip(".")
        if key not in now:
            yield f"{here} is gone"
        elif isinstance(before, dict) and isinstance(now[key], dict):
            yield from broken(before, now[key], place=here)
        elif before != now[key]:
            yield f"{here} was {before!r}, and is {now[key]!r}"


def _event(model: type[Message]) -> Json:
    info = messages.EVENTS[model]
    return {
        "subject": subjects.event_template(model),
        "stream": subjects.stream_of(model),
        "type": cloud_events.event_type(model),
        "schema": cloud_events.schema_id(model.__name__),
        "publishers": dict.fromkeys(info.publishers, True),
    }


def _fields(shape: Json) -> Json:
    return {name: _kind(field) for name, field in shape["properties"].items()}


def _kind(field: Json) -> Any:
    if "allOf" in field:
        return _kind(field["allOf"][0])
    if field.get("type") == "array":
        return ["array", _kind(field["items"])]
    return field.get("$ref", [field.get("type"), field.get("format")])


def _enum(shape: Json) -> Json:
    """Open means that a schema takes a value that is added later."""
    values = next(each["enum"] for each in shape["anyOf"] if "enum" in each)
    return {"open": len(shape["anyOf"]) > 1, "values": dict.fromkeys(values, True)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--release", action="store_true", help="promise what is there now")
    if parser.parse_args().release:
        BASELINE.write_text(json.dumps(promised(), indent=1, sort_keys=True) + "\n")
        return
    found = list(broken(json.loads(BASELINE.read_text()), promised()))
    if found:
        sys.exit("\n".join(["other programs build on what is no longer so:", *found]))


if __name__ == "__main__":
    main()
