"""Whatever can be reached, asked for or reached out to is read of in the threat model."""

import re
from collections.abc import Callable
from typing import Any, cast

import pytest
import sources
from reference import ROOT
from unit.gateway.doubles import DOCUMENTS, Scene

from countersign.contracts import subjects
from countersign.contracts.messages import METHODS
from countersign.gateway.routes import Row, Who, table
from countersign.messaging.topology.permissions import USERS
from countersign.watcher.http import webhook_app

PAGE = ROOT / "docs" / "threat-model.md"
NAME = re.compile(r"`([^`]+)`")
# What opens connections to elsewhere, and the part of ours that may use it.
CLIENTS = (
    "httpx2", "httpx", "requests", "urllib3", "aiohttp", "urllib.request", "smtplib", "nats",
    "faststream", "kubernetes_asyncio", "opentelemetry.exporter",
)  # fmt: skip


def _rows() -> tuple[Row, ...]:
    scene = Scene()
    return table(scene.site, scene.static, DOCUMENTS)


def _open_to_everybody() -> set[str]:
    return {f"{r.method} {r.path}" for r in _rows() if r.who is Who.EVERYBODY}


def _forms() -> set[str]:
    return {r.path for r in _rows() if r.method == "POST" and r.who is not Who.EVERYBODY}


def _read() -> set[str]:
    """Return the first parts of what is only looked at, by who is signed in."""
    looked = (r for r in _rows() if r.method == "GET" and r.who is not Who.EVERYBODY)
    return {"/".join(r.path.split("/")[: 4 if r.path.startswith("/api/") else 2]) for r in looked}


def _hooks() -> set[str]:
    anything = cast("Any", None)
    made = webhook_app(news=anything, sources={}, clock=lambda: 0.0, hook=cast("Any", object))
    return {cast("Any", route).path for route in made.routes}


def _roots() -> set[str]:
    named = {name: getattr(subjects, name) for name in dir(subjects) if name.endswith("_ROOT")}
    return {value for value in named.values() if isinstance(value, str)}


def _reaching_out() -> set[str]:
    return {
        "/".join(sources.name(path).split("/")[:2])
        for path in sources.python_files("libs", "services")
        for module in sources.imported(path)
        if module.startswith(CLIENTS) and not sources.name(path).startswith("libs/local/")
    }


SURFACE: dict[str, Callable[[], set[str]]] = {
    "open to everybody at the gateway": _open_to_everybody,
    "changed there by who is signed in": _forms,
    "looked at there by who is signed in": _read,
    "taken by the watcher": _hooks,
    "roots of subjects": _roots,
    "requests on the bus": lambda: set(METHODS),
    "users of the bus": lambda: set(USERS),
    "parts with a client of their own": _reaching_out,
}


def _listed(what: str) -> set[str]:
    lines = [x for x in PAGE.read_text().splitlines() if x.startswith(f"| {what} |")]
    assert len(lines) == 1, f"no row {what!r} below *Surface*"
    return set(NAME.findall(lines[0]))


@pytest.mark.parametrize("what", SURFACE)
def test_threat_model_names_the_whole_surface(what: str) -> None:
    """Read the page before you add to it: who may reach what is new, and what could they do?"""
    assert _listed(what) == SURFACE[what]()
