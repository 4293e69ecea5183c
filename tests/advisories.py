"""Known vulnerabilities of what images hold, from a local copy that says its age.

`--fetch` asks the package index for each locked release and writes the copy; without it the copy is
compared with the locks, without a network. What is accepted for a while stands in `ACCEPTED`, with
the reason. Source: https://docs.pypi.org/api/json/#known-vulnerabilities
"""

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import httpx2
from reference import ROOT

COPY: Final = ROOT / "advisories.json"
INDEX: Final = "https://pypi.org"
TIMEOUT_S: Final = 20.0
# Older than that, the copy says nothing of what is known today; it is told, and fails nobody.
FRESH_DAYS: Final = 14
# Advisory to the reason for which we are not affected, or until when it is accepted.
ACCEPTED: Final[Mapping[str, str]] = {}
_LINE: Final = re.compile(r"^([A-Za-z0-9._-]+)==([^\s\\;]+)", re.MULTILINE)
Json = dict[str, Any]
Ask = Callable[["Release"], Json | None]


@dataclass(frozen=True, kw_only=True, order=True)
class Release:
    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name}=={self.version}"


def locked(root: Path = ROOT) -> set[Release]:
    """Return every release that an image holds."""
    return {
        Release(name=name.lower(), version=version)
        for path in root.glob("services/*/requirements.lock")
        for name, version in _LINE.findall(path.read_text())
    }


def found_in(answer: Json) -> list[Json]:
    """Return the part of an index's answer that is kept; what was withdrawn is no advisory."""
    return [
        {"id": one["id"], "aliases": one.get("aliases", []), "fixedIn": one.get("fixed_in", [])}
        for one in answer.get("vulnerabilities") or ()
        if not one.get("withdrawn")
    ]


def judge(copy: Json, releases: set[Release], *, now: datetime) -> Iterator[tuple[bool, str]]:
    """Yield what the copy says, and whether it is a failure."""
    known: Mapping[str, list[Json]] = copy.get("releases", {})
    unknown = sorted(str(r) for r in releases if str(r) not in known)
    age = (now - datetime.fromisoformat(copy["at"])).days if "at" in copy else None
    told = "there is none" if age is None else f"it is {age} days old"
    stale = ": make advisories" if age is None or age > FRESH_DAYS or unknown else ""
    yield (
        False,
        f"advisories: {len(releases) - len(unknown)} of {len(releases)} releases; {told}{stale}",
    )
    for release in sorted(releases):
        for one in known.get(str(release), ()):
            names = {one["id"], *one["aliases"]}
            if reason := next((ACCEPTED[n] for n in names if n in ACCEPTED), ""):
                yield False, f"{release}: {one['id']} is accepted: {reason}"
            else:
                fixed = " or ".join(one["fixedIn"]) or "no release yet"
                yield True, f"{release}: {one['id']} {' '.join(one['aliases'])}; fixed in {fixed}"


def fetch(releases: set[Release], *, ask: Ask, now: datetime) -> Json:
    """Ask for each release, one after another; one that the index does not have is left out."""
    answers = {str(release): ask(release) for release in sorted(releases)}
    found = {name: found_in(answer) for name, answer in answers.items() if answer is not None}
    return {"at": now.isoformat(timespec="seconds"), "releases": found}


def ask_index(release: Release) -> Json | None:
    """Ask the package index; mirrors of it may have the newest release of each alone."""
    url = f"{INDEX}/pypi/{release.name}/{release.version}/json"
    answer = httpx2.get(url, timeout=TIMEOUT_S)
    if answer.status_code == httpx2.codes.NOT_FOUND:
        return None
    body: Json = answer.raise_for_status().json()
    return body


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fetch", action="store_true")
    parser.add_argument("--only", action="append", default=[], metavar="NAME")
    given = parser.parse_args()
    copy: Json = json.loads(COPY.read_text()) if COPY.is_file() else {}
    if given.fetch:
        wanted = {r for r in locked() if not given.only or r.name in given.only}
        made = fetch(wanted, ask=ask_index, now=datetime.now(UTC))
        if given.only:
            made["releases"] = {**copy.get("releases", {}), **made["releases"]}
        copy = made
        COPY.write_text(json.dumps(copy, indent=1, sort_keys=True) + "\n")
    failures = 0
    for fails, line in judge(copy, locked(), now=datetime.now(UTC)):
        failures += fails
        sys.stdout.write(f"{line}\n")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
