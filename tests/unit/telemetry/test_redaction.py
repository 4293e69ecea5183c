"""What looks like a token is not shown, and the rest is."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countersign.contracts.secret import Secret
from countersign.telemetry.redaction import REDACTED, redact, redact_value

MADE_UP = {
    "github": "ghp_" + "madeUp0" * 6,
    "github-user-to-server": "ghu_" + "madeUp0" * 6,
    "github-refresh": "ghr_" + "madeUp0" * 6,
    "github-server-dotted": "ghs_" + "made.Up0" * 6,
    "github-fine-grained": "github_pat_" + "madeUp0_" * 8,
    "gitlab": "glpat-" + "madeUp0_" * 3,
    "gitlab-routable": "glpat-" + "madeUp0" * 4 + ".01." + "madeup0",
    "gitlab-oauth": "gloas-" + "madeup00" * 4,
    "bitbucket": "ATBB" + "madeUp0" * 4,
    "atlassian": "ATATT3x" + "madeUp0_" * 6,
    "bitbucket-access": "ATCTT3x" + "madeUp0_" * 6,
    "bitbucket-server": "BBDC-" + "madeUp0+" * 5,
    "azure": "madeUp0" * 10 + "AAAAAZDO" + "AbCd",
    "jwt": "eyJhbGciOiJub25lIn0.eyJzdWIiOiJtYWRlIHVwIn0.bWFkZXVw",
    "nkey-seed": "SUA" + "MADEUP2" * 8,
}


@pytest.mark.parametrize("token", MADE_UP.values(), ids=MADE_UP)
def test_token_is_not_shown(token: Any) -> None:
    assert token not in redact(f"failed with {token}, sorry")
    assert REDACTED in redact(f"failed with {token}, sorry")
    assert token[8:] not in redact(f"failed with {token}, sorry")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Authorization: Bearer madeup123", f"Authorization: Bearer {REDACTED}"),
        ("PRIVATE-TOKEN: madeup123", f"PRIVATE-TOKEN: {REDACTED}"),
        ("https://u:madeup@forge.example/x", f"https://{REDACTED}@forge.example/x"),
        ("GET /cb?code=madeup123&state=madeup456", f"GET /cb?code={REDACTED}&state={REDACTED}"),
        ("/x?access_token=madeup123 end", f"/x?access_token={REDACTED} end"),
    ],
)
def test_what_stands_where_a_token_stands_is_not_shown(text: Any, expected: Any) -> None:
    assert redact(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "countersign.v1.promotion.requested.apps.podinfo.prod.x7qk2vbn4mza5tqd",
        "main@sha1:702cabdc44012b1a7c7ef67ba1b4d5c0d0b2f9a1",
        "sha256:" + "0123456789abcdef" * 4,
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "https://github.com/acme/fleet/pull/7",
        "6.9.0+702cabdc4401",
        "approval a1b2c3 of alice@example.com",
        "",
    ],
)
def test_identifiers_stay(text: Any) -> None:
    assert redact(text) == text


def test_fields_are_redacted_at_any_depth() -> None:
    value = {"a": [{"url": "https://u:madeup@x/"}], "token": "x", "b": ("ghp_" + "a" * 36,)}

    assert redact_value(value) == {
        "a": [{"url": f"https://{REDACTED}@x/"}],
        "token": REDACTED,
        "b": [REDACTED],
    }


@pytest.mark.parametrize("key", ["token", "Authorization", "client_secret", "password"])
def test_field_is_known_by_its_name(key: Any) -> None:
    assert redact_value("made up", key=key) == REDACTED
    assert redact_value(None, key=key) is None


def test_secret_shows_nothing() -> None:
    assert "madeup" not in str(redact_value(Secret("madeup")))


def test_bytes_and_endless_structures_are_not_shown() -> None:
    endless = []
    endless.append(endless)

    assert redact_value(b"madeup") == "[6 bytes]"
    assert "…" in str(redact_value(endless))
    assert len(redact_value(list(range(10_000)))) <= 100


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists))
def test_anything_can_be_redacted(value: Any) -> None:
    redact_value(value)


@given(st.text(max_size=200))
def test_redacting_twice_changes_nothing(text: Any) -> None:
    assert redact(redact(text)) == redact(text)


LENGTH = 1_000_000
HOSTILE = {
    "jwt-heads": "eyJ" * (LENGTH // 3),
    "jwt-heads-with-dots": "eyJabcdef." * (LENGTH // 10),
    "jwt-short-parts": "eyJ." * (LENGTH // 4),
    "schemes": "a." * (LENGTH // 2),
    "scheme-without-end": "http://" + "a" * LENGTH,
    "spaces-after-keyword": "authorization: " + " " * LENGTH,
    "keywords": "authorization: bearer " * (LENGTH // 22),
    "azure": "A" * LENGTH,
    "github": "ghp_" * (LENGTH // 4),
    "gitlab": "glaaaaaaaaaa-" * (LENGTH // 13),
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_long_text_costs_no_square_of_its_length(text: str) -> None:
    """One that did would take hours for this, and the test's timeout ends it."""
    redact(text)


@pytest.mark.parametrize("before", ["", "x", "token=", "a.b.", "eyJ.", '{"t":"'])
@pytest.mark.parametrize("after", ["", ".", " x", '"}', ".more"])
def test_jwt_is_not_shown_whatever_stands_beside_it(before: str, after: str) -> None:
    shown = redact(before + MADE_UP["jwt"] + after)

    assert not any(part in shown for part in MADE_UP["jwt"].split("."))
