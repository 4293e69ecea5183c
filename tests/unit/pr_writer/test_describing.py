"""What a pull request says of itself, whoever chose the names in it."""

from typing import Any

import pytest
from doubles import stories

from countersign.contracts.forge_list import Forge
from countersign.contracts.messages import (
    Caution,
    ChangeKind,
    Content,
    CredentialMode,
    ForgeUser,
    Person,
    Revision,
    SecretRef,
    StatedChange,
)
from countersign.contracts.promotion import Approval, Promotion, State
from countersign.contracts.pull_request_names import PullRequestNames
from countersign.dialects.repositories.pulls import PullText
from countersign.pr_writer.executor.describing import (
    BODY_CHARACTERS_MAX,
    CAUTIONS,
    CHANGE_WORDS,
    Particulars,
    describe,
    trailers,
)
from countersign.pr_writer.jobs.model import Access, OpenJob, opening

EVIL = "@org/team ` Closes #1 " + "x" * 120


def job_of(
    mode: CredentialMode = CredentialMode.DELEGATED,
    *,
    name: str = EVIL,
    names: dict[str, str] | None = None,
    **changes: Any,
) -> OpenJob:
    promotion = Promotion(request=stories.requested(**changes), state=State.OPENING)
    forge = Forge(
        name="Forge",
        kind="github",
        origin="https://forge.example",
        pull_requests=PullRequestNames.model_validate(names or {}),
    )
    access = Access(mode=mode, forge=forge)
    approval = Approval(approval_id="a", by=Person(id="p", name=name), consent_digest="0" * 64)
    return opening(promotion, access=access, approval=approval)


def described(
    mode: CredentialMode = CredentialMode.DELEGATED,
    *,
    files: dict[str, str] | None = None,
    names: dict[str, str] | None = None,
    **changes: Any,
) -> PullText:
    told = Particulars(
        files=files or {f"{EVIL}{n}": EVIL for n in range(30)},
        skipped={EVIL: "too large"},
        replaces=["#1", "#2", "#3"],
    )
    job = job_of(mode, names=names, **changes)
    return describe(job, told, author=ForgeUser(id="1", login=EVIL))


def test_body_that_is_too_long_loses_whole_lines_and_never_its_footer() -> None:
    """In a code span that is cut, mentions and closing keywords are live again."""
    long = Revision(recorded=EVIL)
    content = Content(identity=EVIL, revision=long)
    body = described(from_environment=EVIL, marker_key=EVIL, current=long, content=content).body

    assert len(body) <= BODY_CHARACTERS_MAX
    assert "Countersign-Promotion: " in body
    assert body.endswith("```")
    assert all(line.count("`") % 2 == 0 for line in body.split("\n") if line != "```")


def with_page(url: str) -> str:
    ref = stories.requested().promotion.model_copy(update={"url": url})
    return described(promotion=ref).body


def test_body_links_back_to_the_page_of_its_promotion() -> None:
    page = "https://countersign.example:8443/promotions/abc-1"

    assert f"]({page})" in with_page(page)


@pytest.mark.parametrize(
    "url",
    ["", "javascript:alert(1)", "https://x.example/a)[y](https://evil.example", "https://x/@org"],
)
def test_body_links_to_nothing_that_is_no_page_of_ours(url: str) -> None:
    assert "](" not in with_page(url)


def test_body_names_the_stored_token_and_its_owner() -> None:
    secret = SecretRef(namespace="shop", name="flux-bot")

    body = described(CredentialMode.STORED, secret=secret).body

    assert "the stored token `shop/flux-bot` of `" in body


@pytest.mark.parametrize("mode", [CredentialMode.STORED, CredentialMode.APP])
def test_commit_in_anothers_name_names_the_approver(mode: CredentialMode) -> None:
    assert trailers(job_of(mode, name="Ada Lovelace")) == ("Approved-by: Ada Lovelace",)


def test_commit_in_the_approvers_own_name_needs_no_trailer() -> None:
    assert trailers(job_of(CredentialMode.DELEGATED)) == ()


def test_trailer_is_one_line_whatever_the_approver_is_called() -> None:
    (line,) = trailers(job_of(CredentialMode.STORED, name="Ada\nSigned-off-by: <eve> @org #1"))

    assert "\n" not in line
    assert not {"@", "#", "<", ">"} & set(line)


@pytest.mark.parametrize("text", ["/merge", "x\n/merge", "\r/close", "\u2028/approve"])
def test_no_line_of_a_body_is_an_order_to_the_forge(text: str) -> None:
    """GitLab takes a line that begins with a slash for one."""
    content = Content(identity=text, revision=Revision(recorded=text))
    body = described(
        from_environment=text, marker_key=text, current=content.revision, content=content
    ).body

    assert not [line for line in body.splitlines() if line.lstrip().startswith("/")]


@pytest.mark.parametrize("caution", CAUTIONS)
def test_body_says_every_caution_that_the_gate_shows(caution: Caution) -> None:
    body = described(cautions=(caution,)).body

    assert CAUTIONS[caution] in body
    assert CAUTIONS[caution] not in described().body


def test_every_caution_has_words() -> None:
    assert set(CAUTIONS) == set(Caution)


def test_title_calls_a_downgrade_by_its_name() -> None:
    assert "downgrade" in described(cautions=(Caution.DOWNGRADE,)).title
    assert "downgrade" not in described(cautions=(Caution.HINDERED,)).title


def test_body_says_what_the_file_said() -> None:
    """Prod ran 6.8.0 while the file named 6.8.5 already: a reviewer sees what is taken back."""
    body = described(files={"apps/prod.yaml": "6.8.5"}).body

    assert "`apps/prod.yaml`, which said `6.8.5`" in body


def test_title_is_as_the_forge_list_says_with_names_as_values() -> None:
    ref = stories.requested().promotion.model_copy(update={"environment": "{pipeline}"})

    title = described(names={"title": "chore({pipeline}): {environment}"}, promotion=ref).title

    assert title == f"chore({ref.pipeline.name}): {{pipeline}}"


def test_body_lists_as_code_what_the_artifact_says_of_its_changes() -> None:
    stated = (
        StatedChange(kind=ChangeKind.FIXED, description="Closes #1 for @org"),
        StatedChange(description="Tidy up"),
    )

    body = described(files={"prod.yaml": "6.8.4"}, stated_changes=stated).body

    fixed, also = [line for line in body.splitlines() if line.startswith(("- Fixed", "- Also"))]
    assert "#1" not in fixed
    assert also == "- Also: `Tidy up`"
    assert body.index("in:") < body.index("What the artifact says")


def test_every_kind_of_change_has_a_word() -> None:
    assert set(CHANGE_WORDS) == set(ChangeKind)
