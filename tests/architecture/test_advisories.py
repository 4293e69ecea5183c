"""An advisory fails the check until it is mended or accepted; a copy that is old says so."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import advisories
import pytest
from advisories import Release, fetch, found_in, judge, locked

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
ONE = Release(name="starlette", version="1.10.0")
ADVISORY = {"id": "PYSEC-1", "aliases": ["CVE-1"], "fixedIn": ["1.10.1"]}


def _copy(*found: dict[str, Any], days: int = 0) -> dict[str, Any]:
    at = (NOW - timedelta(days=days)).isoformat()
    return {"at": at, "releases": {str(ONE): list(found)}}


def _failures(copy: dict[str, Any]) -> list[str]:
    return [line for fails, line in judge(copy, {ONE}, now=NOW) if fails]


def test_release_with_an_advisory_fails_and_says_what_mends_it() -> None:
    (line,) = _failures(_copy(ADVISORY))

    assert {str(ONE) + ":", "PYSEC-1", "CVE-1;", "1.10.1"} <= set(line.split())


def test_accepted_advisory_fails_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(advisories, "ACCEPTED", {"CVE-1": "not reached"})

    assert _failures(_copy(ADVISORY)) == []


@pytest.mark.parametrize("copy", [{}, _copy(days=15), {"at": NOW.isoformat(), "releases": {}}])
def test_copy_that_says_nothing_of_today_is_told_and_fails_nobody(copy: dict[str, Any]) -> None:
    (first,) = list(judge(copy, {ONE}, now=NOW))

    assert first[0] is False
    assert "make advisories" in first[1]


def test_withdrawn_advisory_is_none() -> None:
    kept = {"id": "PYSEC-1", "aliases": [], "fixed_in": ["2"], "withdrawn": None}
    withdrawn = {**kept, "id": "PYSEC-2", "withdrawn": "2026-01-01T00:00:00Z"}

    found = found_in({"vulnerabilities": [kept, withdrawn]})

    assert [one["id"] for one in found] == ["PYSEC-1"]


def test_release_that_the_index_does_not_have_is_not_taken_for_sound() -> None:
    other = Release(name="uvicorn", version="0.54.0")
    answers = {ONE: {"vulnerabilities": []}, other: None}

    copy = fetch({ONE, other}, ask=answers.__getitem__, now=NOW)

    assert copy["releases"] == {str(ONE): []}
    assert "make advisories" in next(judge(copy, {ONE, other}, now=NOW))[1]


def test_locks_name_what_images_hold(tmp_path: Path) -> None:
    lock = tmp_path / "services" / "x" / "requirements.lock"
    lock.parent.mkdir(parents=True)
    lock.write_text("Starlette==1.10.0 \\\n    --hash=sha256:aa\n# a comment\n")

    assert locked(tmp_path) == {ONE}
