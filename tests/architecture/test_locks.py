"""What an image is built from is what its service needs, in the versions of the one lock."""

import re
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from reference import ROOT

SERVICES = sorted(path.parent.name for path in ROOT.glob("services/*/pyproject.toml"))
MEMBERS = {"services": SERVICES, "libs": ["local"]}
IMAGES = [(folder, name) for folder, names in MEMBERS.items() for name in names]
WATCHING = {"kubernetes-asyncio", "aiohttp"}
# What must not be inside of an image: who asks the cluster single questions needs no client that
# watches, and who holds no token has nothing that speaks to forges.
BARRED = {
    "pr-writer": WATCHING,
    "approval": WATCHING,
    "auditor": WATCHING,
    "gateway": {*WATCHING, "countersign-forges"},
    "watcher": {"countersign-forges"},
    "setup": WATCHING,
}
LINE = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)", re.MULTILINE)


def _locked(path: Path) -> dict[str, str]:
    return {canonicalize_name(name): version for name, version in LINE.findall(path.read_text())}


def _needed(name: str) -> set[str]:
    """Return all that a member needs here, directly or not, without our own members."""
    return {one for one in _closure(name) if not one.startswith("countersign-")}


def _closure(name: str) -> set[str]:
    found: set[str] = set()
    asked = [(name, frozenset[str]())]
    seen = set(asked)
    while asked:
        member, extras = asked.pop()
        for line in requires(member) or ():
            wanted = Requirement(line)
            settings = ({"extra": extra} for extra in (extras or {""}))
            if wanted.marker and not any(wanted.marker.evaluate(s) for s in settings):
                continue
            key = (canonicalize_name(wanted.name), frozenset(wanted.extras))
            found.add(key[0])
            if key not in seen:
                seen.add(key)
                asked.append(key)
    return found


@pytest.mark.parametrize("service", BARRED)
def test_image_holds_nothing_that_its_service_must_not_have(service: str) -> None:
    assert _closure(f"countersign-{service}") & BARRED[service] == set()


@pytest.mark.parametrize("service", SERVICES)
def test_lock_of_a_service_holds_what_it_needs(service: str) -> None:
    locked = _locked(ROOT / "services" / service / "requirements.lock")

    assert _needed(f"countersign-{service}") <= set(locked)


@pytest.mark.parametrize("service", SERVICES)
def test_lock_of_a_service_holds_nothing_that_only_others_need(service: str) -> None:
    """Packages for other systems and versions of Python than this one may stand there too."""
    locked = _locked(ROOT / "services" / service / "requirements.lock")
    others = {
        name
        for other in SERVICES
        for name in _needed(f"countersign-{other}") - _needed(f"countersign-{service}")
    }

    assert set(locked) & others == set()


@pytest.mark.parametrize("service", SERVICES)
def test_lock_of_a_service_agrees_with_the_one_lock(service: str) -> None:
    everything = _locked(ROOT / "requirements.lock")
    locked = _locked(ROOT / "services" / service / "requirements.lock")

    assert {n: v for n, v in locked.items() if everything.get(n) != v} == {}
