"""No text from elsewhere gives an order to a forge, a CI or a terminal."""

import re

import pytest
from doubles import stories
from hypothesis import given
from hypothesis import strategies as st

from countersign.contracts import messages as m
from countersign.contracts.forge_list import Forge
from countersign.contracts.promotion import Approval, Promotion, State
from countersign.pr_writer.executor import describing
from countersign.pr_writer.executor.neutral import neutral, visible
from countersign.pr_writer.jobs.model import Access, opening

# What is looked for, in its reader's own rules, simplified towards finding more.
ORDERS = {
    "skip": re.compile(r"(?i)\[\s*(?:skip|no|ci|actions?|azp|azurepipelines)\b[^\]]*\]"),
    "azure": re.compile(r"\*\*\*NO_CI\*\*\*"),
    "trailer": re.compile(r"(?i)\bskip-checks:\s*true"),
    "issue": re.compile(r"(?:^|[^&\w])[\w./-]*[#!]\d"),
    "smart commit": re.compile(r"[A-Z][A-Z0-9_]+-\d+\s.*#[a-z]"),
    "old issue": re.compile(r"(?i)\bgh-\d"),
    "jira": re.compile(r"(?i)\b(?:close[sd]?|fix(?:e[sd])?|resolve[sd]?):?\s+[A-Z][A-Z0-9_]*-\d"),
    "linked": re.compile(
        r"(?i)\b(?:close[sd]?|fix(?:e[sd])?|resolve[sd]?):?\s+(?:issues?\s+)?https?://"
    ),
    "mention": re.compile(r"""(?:^|[^A-Za-z0-9])@[A-Za-z0-9_.{<"]"""),
    "terminal": re.compile(r"[\x00-\x1f\x7f-\x9f]"),
    "direction": re.compile(r"[\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]"),
}
EXAMPLES = [
    "[skip ci]",
    "[ci skip]",
    "[No CI]",
    "[skip actions]",
    "[skip azp]",
    "***NO_CI***",
    "skip-checks: true",
    "Closes #1",
    "fixes acme/fleet#12",
    "AB#12",
    "closes !3",
    "PROJ-1 #close",
    "PROJ-1 #time 2d #comment done",
    "Closes PROJ-1",
    "resolves: OPS-12",
    "Closes https://gitlab.example/shop/app/-/issues/12",
    "fixes issue https://git.example/shop/app/issues/12",
    "gh-12",
    "@_ada",
    "@{557058:b1f7}",
    "@<3b5f0c9e-7f4a-4c8e-9a34-7f2b1c0d5e6a>",
    '@"ada l"',
    "@org/team",
    "Closes #@1",
    "Closes @PROJ-1",
    "closes @https://git.example/shop/app/issues/12",
    "@#ada",
    "@!1",
    "PROJ-1 ##close",
    "\x1b[31mred\x1b[0m",
    "\x1b]8;;https://evil.example\x07here\x1b]8;;\x07",
    "prod\u202egnp.exe",
    "pr\u200bod",
    "a\nb",
    "\u3164",
]


def orders(text: str) -> list[str]:
    return [name for name, pattern in ORDERS.items() if pattern.search(text)]


@pytest.mark.parametrize("text", EXAMPLES, ids=ascii)
def test_order_is_none_any_more(text: str) -> None:
    assert orders(f"Promote {neutral(text)} to prod") == []


@pytest.mark.parametrize(
    "text",
    [
        "6.9.0-rc.1",
        "main@sha1:4f2c1e9",
        "apps/prod/release.yaml",
        "Küche",
        "ada@example.com",
        "see https://git.example/shop/app/issues/12",
    ],
)
def test_honest_text_stays_as_it_is(text: str) -> None:
    assert neutral(text) == text


def test_character_that_is_not_to_be_seen_is_shown_by_its_number() -> None:
    assert visible("a\u202eb\x1bc\u3164") == "a\\u{202e}b\\u{1b}c\\u{3164}"


parts = st.sampled_from(
    [
        *EXAMPLES,
        "[",
        "]",
        "#",
        "!",
        "1",
        "@",
        "x",
        "PROJ-1",
        "closes ",
        " ",
        "*",
        "skip-checks",
        ":",
    ]
)


@given(st.lists(parts | st.text(max_size=3), max_size=6).map("".join))
def test_text_of_any_kind_gives_no_order(text: str) -> None:
    assert orders(f"Promote {neutral(text)} to prod") == []


@pytest.mark.parametrize("text", EXAMPLES, ids=ascii)
def test_texts_of_a_pull_request_give_no_order(text: str) -> None:
    """The title becomes a squashed commit's first line, and the body its message."""
    revision = m.Revision(recorded=text)
    request = stories.requested(
        from_environment=text,
        marker_key=text,
        current=revision,
        content=m.Content(identity=text, revision=revision),
    )
    named = request.promotion.model_copy(update={"environment": text})
    promotion = Promotion(
        request=request.model_copy(update={"promotion": named}), state=State.OPENING
    )
    forge = Forge(name="Forge", kind="github", origin="https://forge.example")
    access = Access(mode=m.CredentialMode.DELEGATED, forge=forge)
    approval = Approval(approval_id="a", by=m.Person(id="p", name=text), consent_digest="0" * 64)
    job = opening(promotion, access=access, approval=approval)
    author = m.ForgeUser(id="1", login=text)

    told = describing.Particulars(
        files={text: text}, skipped={text: "too large"}, commits=[text], replaces=[]
    )
    written = describing.describe(job, told, author=author)

    lines = [line for line in written.body.splitlines() if line]
    said = [written.title, describing.headline(job), describing.over(text), *lines]
    assert [found for line in said for found in orders(line)] == []
