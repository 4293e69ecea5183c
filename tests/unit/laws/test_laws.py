"""Each law is kept by a good history, and broken by the smallest bad one."""

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from laws.evidence import Event, Evidence, Pull, Repository
from laws.laws import OVERLAP_S, breaches

MARKER = '# {"$promotion": "shop:checkout:prod"}'
FILE = "release.yaml"
BEFORE = f"# ours\nversion: 6.8.0 {MARKER}\nother: 1\n"
AFTER = BEFORE.replace("6.8.0", "6.9.0")
GATE = "countersign/shop/checkout/prod"

Change = Callable[[Evidence], Evidence]


def _git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.invalid")
    command = ["git", "-C", str(folder), *who, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("forge")
    _git(made, "init", "-q", "-b", "main")
    _commit(made, BEFORE)
    return made


def _commit(folder: Path, text: str, *, mode: int = 0o644) -> str:
    (folder / FILE).write_text(text)
    (folder / FILE).chmod(mode)
    _git(folder, "add", FILE)
    _git(folder, "commit", "-q", "-m", "x")
    return _git(folder, "rev-parse", "HEAD")


def _branch(folder: Path, text: str, *, mode: int = 0o644) -> str:
    """A commit beside the branch."""
    _git(folder, "checkout", "-q", "--detach", "main")
    commit = _commit(folder, text, mode=mode)
    _git(folder, "checkout", "-q", "main")
    return commit


def _body(promotion_id: str, attempt: int = 1, **more: Any) -> dict[str, Any]:
    return {"promotion": {"promotionId": promotion_id, "attempt": attempt}, **more}


def _request(promotion_id: str, version: str = "6.9.0") -> dict[str, Any]:
    revision = {"recorded": version, "version": version}
    return _body(
        promotion_id,
        mode="CREDENTIAL_MODE_DELEGATED",
        markerKey="shop:checkout:prod",
        content={"revision": revision},
    )


def _told(pull: Pull, **more: Any) -> dict[str, Any]:
    ref = {"number": pull.number, "headBranch": pull.branch}
    return _body(pull.promotion_id, pullRequest=ref, **more)


def _history(*said: tuple[str, dict[str, Any]]) -> tuple[Event, ...]:
    return tuple(Event(sequence=n, kind=k, body=b) for n, (k, b) in enumerate(said, 1))


@pytest.fixture
def good(folder: Path) -> Evidence:
    pull = Pull(
        number=1,
        branch=f"{GATE}/aaaa",
        author="ada",
        state="open",
        merged=False,
        opened_s=100.0,
        ended_s=0.0,
        head_commit=_branch(folder, AFTER),
    )
    opened = _told(pull, approvalId="c1", author={"login": "ada"})
    events = _history(
        ("promotion.requested", _request("aaaa")),
        ("approval.granted", _body("aaaa", approvalId="c1")),
        ("pull-request.opened", opened),
    )
    return Evidence(events=events, pulls=(pull,), repository=Repository(path=folder / ".git"))


def _laws(evidence: Evidence) -> set[str]:
    return {breach.law for breach in breaches(evidence)}


def test_good_history_breaks_no_law(good: Evidence) -> None:
    assert breaches(good) == []


def test_merged_and_completed_history_breaks_no_law(good: Evidence, folder: Path) -> None:
    merged = replace(good.pulls[0], state="closed", merged=True, ended_s=200.0)
    more = (
        Event(sequence=9, kind="pull-request.merged", body=_told(merged)),
        Event(sequence=10, kind="promotion.completed", body=_body("aaaa")),
    )

    assert breaches(replace(good, events=(*good.events, *more), pulls=(merged,))) == []


def _second(good: Evidence, promotion_id: str, **changes: Any) -> Evidence:
    """Another pull request at the same gate, asked for and told."""
    pull = replace(good.pulls[0], number=2, branch=f"{GATE}/{promotion_id}", **changes)
    asked = [("promotion.requested", _request(promotion_id))] if promotion_id != "aaaa" else []
    attempt = 1 if asked else 2
    ref = {"number": 2, "headBranch": pull.branch}
    opened = _body(promotion_id, attempt, pullRequest=ref, author={"login": "ada"})
    retried = [] if asked else [("promotion.retried", _body(promotion_id, 2))]
    said = [*asked, *retried, ("pull-request.opened", opened)]
    more = tuple(Event(sequence=20 + n, kind=k, body=b) for n, (k, b) in enumerate(said))
    return replace(good, events=(*good.events, *more), pulls=(*good.pulls, pull))


@pytest.mark.parametrize("promotion_id", ["aaaa", "bbbb"], ids=["same", "newer"])
def test_second_open_pull_request_of_a_gate_breaks_the_first_law(
    good: Evidence, promotion_id: str
) -> None:
    assert _laws(_second(good, promotion_id)) == {"I1"}


@pytest.mark.parametrize("merged", [False, True])
def test_older_pull_request_that_outlived_the_newer_breaks_the_first_law(
    good: Evidence, *, merged: bool
) -> None:
    both = _second(good, "bbbb", opened_s=150.0)
    ended_s = 151.0 if merged else 151.0 + OVERLAP_S
    older = replace(both.pulls[0], state="closed", merged=merged, ended_s=ended_s)
    kind = "pull-request.merged" if merged else "pull-request.closed"
    events = (*both.events, Event(sequence=30, kind=kind, body=_told(older)))

    assert _laws(replace(both, pulls=(older, both.pulls[1]), events=events)) == {"I1"}


@pytest.mark.parametrize(
    "said",
    [
        (("promotion.requested", {**_request("cccc"), "mode": "CREDENTIAL_MODE_STORED"}),),
        (("promotion.requested", _request("cccc")), ("approval.granted", _body("cccc"))),
        (("promotion.requested", _request("cccc")), ("pull-request.failed", _body("cccc"))),
    ],
    ids=["stored", "granted", "failed-without-a-reason"],
)
def test_promotion_that_nobody_goes_on_with_breaks_the_second_law(
    good: Evidence, said: tuple[tuple[str, dict[str, Any]], ...]
) -> None:
    more = tuple(Event(sequence=40 + n, kind=k, body=b) for n, (k, b) in enumerate(said))

    assert _laws(replace(good, events=(*good.events, *more))) == {"I2"}


def test_pull_request_that_nobody_told_breaks_the_second_law(good: Evidence) -> None:
    silent = replace(good, events=good.events[:1])

    assert _laws(silent) == {"I2"}


def test_merge_that_nobody_told_breaks_the_second_law(good: Evidence) -> None:
    merged = replace(good.pulls[0], state="closed", merged=True, ended_s=200.0)

    assert _laws(replace(good, pulls=(merged,))) == {"I2"}


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        (AFTER.replace("other: 1", "other: 2"), 0o644),
        (AFTER.replace("6.9.0", "6.9.1"), 0o644),
        (AFTER.replace("shop:checkout", "shop:other"), 0o644),
        (AFTER + "more: 1\n", 0o644),
        (AFTER.replace("\n", "\r\n"), 0o644),
        (AFTER, 0o755),
    ],
    ids=["another-line", "another-value", "the-marker", "a-line-more", "line-ends", "mode"],
)
def test_any_other_byte_breaks_the_fourth_law(
    good: Evidence, folder: Path, text: str, mode: int
) -> None:
    pull = replace(good.pulls[0], head_commit=_branch(folder, text, mode=mode))

    assert _laws(replace(good, pulls=(pull,))) == {"I4"}


def test_pull_request_that_nobody_asked_for_breaks_the_fourth_law(good: Evidence) -> None:
    other = replace(good.pulls[0], branch=f"{GATE}/dddd", number=7, state="closed", ended_s=101.0)

    assert "I4" in _laws(replace(good, pulls=(*good.pulls, other)))


@pytest.mark.parametrize(
    "order",
    [(1, 0, 2), (0, 2, 1), (0, 1, 2, 2), (0, 0, 1, 2)],
    ids=["before-its-request", "before-consent", "opened-twice", "requested-twice"],
)
def test_order_that_cannot_be_breaks_the_fifth_law(good: Evidence, order: tuple[int, ...]) -> None:
    events = tuple(replace(good.events[i], sequence=n) for n, i in enumerate(order, 1))

    assert "I5" in _laws(replace(good, events=events))


@pytest.mark.parametrize("kind", ["pull-request.merged", "pull-request.closed"])
def test_end_that_was_not_breaks_the_fifth_law(good: Evidence, kind: str) -> None:
    said = Event(sequence=50, kind=kind, body=_told(good.pulls[0]))

    assert _laws(replace(good, events=(*good.events, said))) == {"I5"}


def test_laws_import_none_of_our_code() -> None:
    folder = Path(__file__).parents[2] / "laws"

    assert not [path.name for path in folder.glob("*.py") if "countersign." in _imports(path)]


def _imports(path: Path) -> str:
    lines = path.read_text().splitlines()
    return "\n".join(line for line in lines if line.startswith(("import ", "from ")))
