"""The administrator's list of forges: nothing else ever gets a token."""

from typing import Any

import pytest
from pydantic import ValidationError

from countersign.contracts.errors import Rejected
from countersign.contracts.forge_list import Forge, ForgeList
from countersign.contracts.messages import AutoMerge, ForgeKind

GITHUB = {"name": "GitHub", "kind": "github", "origin": "https://github.com"}


def listed(**changes: Any) -> ForgeList:
    return ForgeList.model_validate({"forges": [{**GITHUB, **changes}]})


def test_listed_origin_is_found() -> None:
    assert listed().find("https://github.com").forge_kind is ForgeKind.GITHUB


@pytest.mark.parametrize(
    "origin",
    [
        "https://github.com/", "https://GitHub.com", "https://github.com:443", "http://github.com",
        "https://github.com.", "https://evil.example", "", "https://github.com@evil.example",
    ],
)  # fmt: skip
def test_origin_that_is_spelled_otherwise_is_not_listed(origin: str) -> None:
    with pytest.raises(Rejected) as caught:
        listed().find(origin)

    assert caught.value.reason == "forge_not_listed"
    assert repr(origin) in caught.value.message


@pytest.mark.parametrize(
    "change",
    [
        {"origin": "http://github.com"},
        {"origin": "http://localhost.evil.example"},
        {"origin": "https://github.com/"},
        {"origin": "https://user@github.com"},
        {"origin": "https://10.0.0.5"},
        {"origin": "https://GITHUB.com"},
        {"origin": "https://github.com\n"},
        {"api": "http://api.github.com"},
        {"api": "http://localhost.evil.example/api"},
        {"api": "http://localhost:1@evil.example/api"},
        {"api": "HTTP://api.github.com"},
        {"api": "HTTPS://api.github.com"},
        {"api": "ftp://api.github.com"},
        {"api": " https://api.github.com"},
        {"api": "https://api.github.com\n"},
        {"api": "https://API.github.com"},
        {"api": "https://user:made-up@api.github.com"},
        {"api": "https://api.github.com/../v3"},
        {"api": "https://api.github.com//v3"},
        {"api": "https://api.github.com/v3?x=1"},
        {"api": "https://api.github.com/v3#x"},
        {"api": "https://10.0.0.5/api/v3"},
        {"api": "https://api.github.com:65536"},
        {"api": "api.github.com"},
        {"proxy": "http://user:made-up@proxy.example:3128"},
        {"proxy": "http://proxy.example:3128/path"},
        {"proxy": "socks5://proxy.example"},
        {"proxy": "http://proxy.example:3128", "origin": "http://localhost:3000"},
        {"proxy": "http://proxy.example:3128", "api": "http://localhost:3000/api"},
        {"kind": "svn"},
        {"minutes": 0},
        {"minutes": 481},
        {"broadTokens": "yes"},
        {"clientSecret": "made-up"},
        {"name": ""},
        {"pullRequests": {"title": ""}},
        {"pullRequests": {"title": "{token}"}},
        {"pullRequests": {"title": "{pipeline.__class__}"}},
        {"pullRequests": {"title": "{pipeline:>99999999}"}},
        {"pullRequests": {"title": "{revision!r}"}},
        {"pullRequests": {"title": "{}"}},
        {"pullRequests": {"title": "chore: {pipeline"}},
        {"pullRequests": {"title": "one\nline"}},
        {"pullRequests": {"title": "x" * 121}},
        {"pullRequests": {"branchPrefix": ""}},
        {"pullRequests": {"branchPrefix": "/chore"}},
        {"pullRequests": {"branchPrefix": "chore/"}},
        {"pullRequests": {"branchPrefix": "a..b"}},
        {"pullRequests": {"branchPrefix": "Chore"}},
        {"pullRequests": {"branchPrefix": "x" * 18}},
        {"pullRequests": {"labels": ["a,b"]}},
        {"pullRequests": {"labels": [""]}},
        {"pullRequests": {"labels": [" x"]}},
        {"pullRequests": {"labels": ["x" * 51]}},
        {"pullRequests": {"labels": ["x\u202ey"]}},
        {"pullRequests": {"labels": ["x"] * 11}},
        {"pullRequests": {"draft": True, "autoMerge": True}},
        {"pullRequests": {"draft": True, "autoMerge": "allowed"}},
        {"pullRequests": {"autoMerge": "always"}},
        {"pullRequests": {"autoMerge": 1}},
    ],
    ids=str,
)
def test_unsound_entry_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        listed(**change)


@pytest.mark.parametrize(
    "change",
    [
        {"origin": "http://localhost:3000", "api": "http://localhost:3000/api/v3"},
        {"origin": "http://127.0.0.1:3000"},
        {"origin": "https://forge.example", "proxy": "http://10.0.0.5:3128"},
        {"origin": "https://git.example.com:8443", "api": "https://git.example.com:8443/api/v3"},
        {"origin": "https://github.com", "api": "https://api.github.com"},
        {"origin": "https://github.com", "api": "https://api.github.com/"},
        {"origin": "https://github.com", "api": ""},
        {
            "origin": "https://github.com",
            "pullRequests": {"title": "chore({pipeline}): {revision}"},
        },
        {"origin": "https://github.com", "pullRequests": {"branchPrefix": "chore/promote"}},
        {"origin": "https://github.com", "pullRequests": {"labels": ["x", "team: shop"]}},
        {"origin": "https://github.com", "pullRequests": {"autoMerge": True}},
        {"origin": "https://github.com", "pullRequests": {"autoMerge": "allowed"}},
    ],
    ids=str,
)
def test_sound_entry_is_taken(change: dict[str, Any]) -> None:
    assert listed(**change).forges[0].origin == change["origin"]


@pytest.mark.parametrize(
    ("written", "asked", "merges"),
    [
        (None, AutoMerge.WANTED, False),
        (False, AutoMerge.WANTED, False),
        ("never", AutoMerge.WANTED, False),
        ("allowed", AutoMerge.UNSPECIFIED, False),
        ("allowed", AutoMerge.UNWANTED, False),
        ("allowed", AutoMerge.WANTED, True),
        ("preset", AutoMerge.UNSPECIFIED, True),
        ("preset", AutoMerge.WANTED, True),
        ("preset", AutoMerge.UNWANTED, False),
        (True, AutoMerge.UNSPECIFIED, True),
        (True, AutoMerge.UNWANTED, False),
    ],
)
def test_pipeline_may_refuse_auto_merge_and_asks_for_it_by_leave(
    *, written: bool | str | None, asked: AutoMerge, merges: bool
) -> None:
    said = {} if written is None else {"autoMerge": written}

    names = listed(pullRequests=said).forges[0].pull_requests

    assert names.merges_itself(asked) is merges


def test_origin_is_listed_once() -> None:
    with pytest.raises(ValidationError, match="listed twice"):
        ForgeList.model_validate({"forges": [GITHUB, {**GITHUB, "name": "Again"}]})


def test_name_in_paths_is_listed_once() -> None:
    """Else the callback or the webhook of one forge would be taken for the other's."""
    other = {**GITHUB, "name": GITHUB["name"].upper(), "origin": "https://git.example.com"}

    with pytest.raises(ValidationError, match="listed twice"):
        ForgeList.model_validate({"forges": [GITHUB, other]})


@pytest.mark.parametrize(
    ("name", "slug"),
    [("GitHub", "github"), ("My Forge!", "my-forge"), ("Ünicode", "nicode"), ("!", "forge")],
)
def test_name_in_paths_is_plain(name: str, slug: str) -> None:
    assert listed(name=name).forges[0].slug == slug


@pytest.mark.parametrize(
    ("namespace", "repository", "allowed"),
    [
        ("shop", "gitops", True), ("shop", "website", True), ("shop", "secrets", False),
        ("other", "gitops", False), ("sho", "gitops", False), ("", "gitops", False),
    ],
)  # fmt: skip
def test_stored_token_is_only_for_repositories_of_its_namespace(
    namespace: str, repository: str, *, allowed: bool
) -> None:
    forge = Forge.model_validate({**GITHUB, "repositories": {"shop": ["shop/gitops", "shop/w*"]}})

    assert forge.allows(namespace=namespace, owner="shop", repository=repository) is allowed


@pytest.mark.parametrize(
    ("pattern", "name", "allowed"),
    [
        ("acme/*", "acme/x", True), ("acme/*", "acme/group/x", False),
        ("*", "acme/x", False), ("*/*", "acme/x", True), ("*/*", "acme/group/x", False),
        ("acme/*/*", "acme/group/x", True), ("acme/*/*", "acme/x", False),
        ("acme/gr*/x", "acme/group/x", True), ("acme/gr*/x", "acme/gr/a/x", False),
        ("acme/[!z]*", "acme/a/b", False), ("acme?x", "acme/x", False), ("acme/", "acme/x", False),
    ],
)  # fmt: skip
def test_pattern_is_matched_segment_by_segment(pattern: str, name: str, *, allowed: bool) -> None:
    """Whoever writes `acme/*` has not thought of the groups below."""
    forge = Forge.model_validate({**GITHUB, "repositories": {"shop": [pattern]}})
    owner, _, repository = name.rpartition("/")

    assert forge.allows(namespace="shop", owner=owner, repository=repository) is allowed


def test_stored_token_is_refused_where_nothing_is_said() -> None:
    forge = Forge.model_validate(GITHUB)

    assert not forge.allows(namespace="shop", owner="shop", repository="gitops")
