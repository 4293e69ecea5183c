"""The decision table, without a server."""

from datetime import UTC, datetime

import pytest

from countersign.local.forge.state.model import (
    App,
    AppKind,
    Person,
    Repository,
    Role,
    Token,
    TokenKind,
)
from countersign.local.forge.state.permissions import Caller, Level, Need, effective, refusal, role

AT = datetime(2026, 3, 1, tzinfo=UTC)
REPOSITORY = Repository(
    id=1,
    owner="acme",
    name="config",
    private=True,
    created_at=AT,
    admins=("root",),
    writers=("ada",),
    readers=("bob",),
)
APP = App(
    id=2,
    kind=AppKind.GITHUB_APP,
    name="Countersign",
    slug="countersign",
    client_id="made-up",
    client_secret_sha256="",
    callbacks=(),
    created_at=AT,
    permissions={"contents": "write", "pull_requests": "write"},
)
HERE = frozenset({"acme/config"})


def _caller(
    login: str,
    kind: TokenKind,
    *,
    permissions: dict[str, str] | None = None,
    repositories: tuple[str, ...] | None = None,
    installed: frozenset[str] = HERE,
) -> Caller:
    token = Token(
        id=3,
        sha256="",
        kind=kind,
        owner=login,
        created_at=AT,
        scopes=("repo",) if kind in (TokenKind.CLASSIC, TokenKind.OAUTH) else (),
        permissions=permissions,
        repositories=repositories,
    )
    person = Person(id=4, login=login, name=login, created_at=AT)
    return Caller(
        person=None if kind is TokenKind.INSTALLATION else person,
        token=token,
        app=APP,
        installed=installed,
    )


@pytest.mark.parametrize(
    ("login", "expected"),
    [
        ("root", Role.ADMIN),
        ("acme", Role.ADMIN),
        ("ADA", Role.WRITE),
        ("bob", Role.READ),
        ("eve", Role.NONE),
        ("", Role.NONE),
    ],
)
def test_role_follows_the_lists(login: str, expected: Role) -> None:
    assert role(REPOSITORY, login) is expected


@pytest.mark.parametrize(
    ("caller", "resource", "expected"),
    [
        (_caller("ada", TokenKind.CLASSIC), "contents", Level.WRITE),
        (_caller("ada", TokenKind.CLASSIC), "administration", Level.NONE),
        (_caller("root", TokenKind.CLASSIC), "administration", Level.ADMIN),
        (_caller("ada", TokenKind.APP_USER), "contents", Level.WRITE),
        (_caller("ada", TokenKind.APP_USER), "workflows", Level.NONE),
        (_caller("root", TokenKind.APP_USER), "administration", Level.NONE),
        (_caller("bob", TokenKind.APP_USER), "contents", Level.READ),
        (_caller("eve", TokenKind.APP_USER), "contents", Level.NONE),
        (_caller("ada", TokenKind.APP_USER, installed=frozenset()), "contents", Level.NONE),
        (
            _caller("ada", TokenKind.APP_USER, permissions={"contents": "read"}),
            "contents",
            Level.READ,
        ),
        (_caller("ada", TokenKind.APP_USER, permissions={"contents": "read"}), "pull_requests", 0),
        (_caller("ada", TokenKind.APP_USER, repositories=("acme/other",)), "contents", 0),
        (_caller("", TokenKind.INSTALLATION), "contents", Level.WRITE),
        (_caller("", TokenKind.INSTALLATION, repositories=("acme/other",)), "contents", 0),
        (
            _caller("ada", TokenKind.FINE_GRAINED, permissions={"contents": "write"}),
            "contents",
            Level.WRITE,
        ),
        (
            _caller("bob", TokenKind.FINE_GRAINED, permissions={"contents": "write"}),
            "contents",
            Level.READ,
        ),
    ],
)
def test_effective_is_never_more_than_token_or_person_has(
    caller: Caller, resource: str, expected: Level
) -> None:
    assert effective(caller, REPOSITORY, resource) == expected


@pytest.mark.parametrize(
    ("caller", "status"),
    [
        (Caller(), 404),
        (_caller("eve", TokenKind.APP_USER), 404),
        (_caller("bob", TokenKind.APP_USER), 403),
        (_caller("bob", TokenKind.CLASSIC), 403),
        (_caller("bob", TokenKind.FINE_GRAINED, permissions={"contents": "write"}), 403),
    ],
    ids=["nobody", "stranger", "app-reader", "classic-reader", "fine-reader"],
)
def test_refusal_hides_what_cannot_be_seen(caller: Caller, status: int) -> None:
    refused = refusal(caller, REPOSITORY, Need("contents", Level.WRITE))

    assert refused is not None
    assert refused.status == status
