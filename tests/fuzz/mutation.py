"""Makes wrong inputs of right ones: nodes of a document replaced or dropped, bytes bent."""

import copy
import json
import random
from collections.abc import Iterator
from typing import Any, Final

import yaml

# Valid in form and absurd in meaning, or not valid at all.
EXTREMES: Final[tuple[Any, ...]] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, 2**64, -(2**63), 10**400, 1e308, 0.5,
    float("nan"), float("inf"), "", " ", "\0", "\n", "x" * 5_000, "\ud800", "\u202e6.9.0", "\u200b",
    "é" * 300, "../../etc", "a/b/c", "//", "-", "%00", "%2e%2e%2f", "https://u:p@h:99999/",
    "https://[::1", "http://x\\@y", "9999-12-31T23:59:59.999999999+14:00", "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00", "2026-02-30T00:00:00Z", "99999-01-01T00:00:00Z", "NaN", "1e999",
    "sha256:" + "0" * 64, "main@sha1:", "6.9.0+", "@", "{{ x }}", "<script>", "'; --", "${jndi}",
    [], {}, [[]], [None], {"": None}, {"a": {"a": {"a": {}}}}, ["x"] * 1_000,
)  # fmt: skip
BYTES: Final = (b"\0", b"\xff", b"\xfe\xff", b"\xef\xbb\xbf", b"\r", b"\n", b"\t", b"\x1b[2J", b"%")
DEPTH: Final = 3_000

Path = tuple[Any, ...]


def mutated(document: Any, chance: random.Random) -> Any:
    """Return a copy of a document with one to four of its nodes changed."""
    made = json.loads(json.dumps(document))
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        places = list(_places(made))
        if not places:
            return _extreme(chance)
        path = chance.choice(places)
        holder = made
        for step in path[:-1]:
            holder = holder[step]
        _change(holder, path[-1], places, chance)
    return made


def _extreme(chance: random.Random) -> Any:
    return copy.deepcopy(chance.choice(EXTREMES))


def _places(node: Any, path: Path = ()) -> Iterator[Path]:
    keys = (
        list(node) if isinstance(node, dict) else range(len(node) if isinstance(node, list) else 0)
    )
    for key in keys:
        value = node[key]
        yield (*path, key)
        yield from _places(value, (*path, key))


def _change(holder: Any, key: Any, places: list[Path], chance: random.Random) -> None:
    match chance.randrange(8):
        case 0:
            del holder[key]
        case 1 if isinstance(holder, list):
            holder.append(holder[key])
        case 2:
            holder[key] = [holder[key]]
        case 3:
            holder[key] = {str(chance.choice(places)[-1]): holder[key]}
        case 4 if isinstance(holder, dict):
            holder[str(chance.choice(EXTREMES))[:100]] = holder[key]
        case 5 if isinstance(holder[key], str) and holder[key]:
            text = holder[key]
            at = chance.randrange(len(text) + 1)
            holder[key] = text[:at] + str(chance.choice(EXTREMES))[:200] + text[at:]
        case _:
            holder[key] = _extreme(chance)


def mangled(body: bytes, chance: random.Random) -> bytes:
    """Return bytes with a few bent, cut, repeated or put in."""
    made = bytearray(body)
    for _ in range(chance.choice((1, 1, 2, 5))):
        at = chance.randrange(len(made) + 1)
        match chance.randrange(5):
            case 0 if made:
                made[at % len(made)] = chance.randrange(256)
            case 1:
                del made[at : at + chance.choice((1, 2, 10, 1_000))]
            case 2:
                made[at:at] = chance.choice(BYTES) * chance.choice((1, 1, 3, 50))
            case 3:
                made[at:at] = bytes(made[at : at + chance.choice((1, 10, 100))])
            case _:
                made[at:at] = chance.choice((b"[" * DEPTH, b"{" * DEPTH, b"- " * 200, b"&a *a "))
    return bytes(made)


def json_bytes(document: Any, chance: random.Random) -> bytes:
    """Return the JSON of a mutated document, one time in five with its bytes bent as well."""
    body = json.dumps(mutated(document, chance)).encode()
    return mangled(body, chance) if chance.random() < 0.2 else body


def yaml_bytes(document: Any, chance: random.Random) -> bytes:
    """Return the YAML of a mutated document, one time in three with its bytes bent as well."""
    text = yaml.safe_dump(mutated(document, chance), allow_unicode=False)
    body = text.encode("utf-8", "surrogatepass")
    return mangled(body, chance) if chance.random() < 0.3 else body
