"""Ids, digests and branch names that every service must compute alike."""

import subprocess
from typing import Any

import pytest
from doubles import stories
from hypothesis import given, settings
from hypothesis import strategies as st

from countersign.contracts import identity
from countersign.contracts.messages import Content, PipelineRef, PromotionRef, Revision
from countersign.contracts.promotion import ATTEMPTS_MAX

FREE_TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=80)
IDS = st.text("abcdefghijklmnopqrstuvwxyz234567", min_size=16, max_size=16)
KUBERNETES_NAMES = st.from_regex(r"[a-z0-9]([a-z0-9.-]{0,60}[a-z0-9])?", fullmatch=True)


def an_id(**changes: str) -> str:
    values = {
        "pipeline_uid": "uid-1",
        "environment": "prod",
        "content_identity": "6.9.1",
        "previous_promotion_id": "",
    }
    return identity.promotion_id(**{**values, **changes})


def test_promotion_id_is_sixteen_lower_case_characters() -> None:
    found = an_id()

    assert len(found) == 16
    assert set(found) <= set("abcdefghijklmnopqrstuvwxyz234567")


def test_promotion_id_never_changes_between_releases() -> None:
    """Running installations would open second pull requests if it did."""
    assert an_id() == "u3rscxevyfz56577"


@pytest.mark.parametrize(
    "change",
    [
        {"pipeline_uid": "uid-2"},
        {"environment": "staging"},
        {"content_identity": "6.9.2"},
        {"previous_promotion_id": "wakngbi4ayffn3bw"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_promotion_id_depends_on_each_of_its_parts(change: dict[str, str]) -> None:
    assert an_id(**change) != an_id()


def test_going_back_and_forth_makes_three_promotions() -> None:
    first = an_id(content_identity="6.9.0")
    second = an_id(content_identity="6.9.1", previous_promotion_id=first)
    third = an_id(content_identity="6.9.0", previous_promotion_id=second)

    assert len({first, second, third}) == 3


@given(parts=st.lists(FREE_TEXT, min_size=4, max_size=4), cut=st.integers(0, 3))
def test_promotion_id_keeps_its_parts_apart(parts: list[str], cut: int) -> None:
    """Moving text from one part to its neighbour is another promotion."""
    moved = list(parts)
    moved[cut], moved[(cut + 1) % 4] = moved[cut] + "x", moved[(cut + 1) % 4]
    names = ["pipeline_uid", "environment", "content_identity", "previous_promotion_id"]

    assert an_id(**dict(zip(names, parts, strict=True))) != an_id(
        **dict(zip(names, moved, strict=True))
    )


def test_consent_digest_is_lower_case_hexadecimal() -> None:
    digest = identity.consent_digest(stories.requested())

    assert len(digest) == 64
    assert set(digest) <= set("0123456789abcdef")


@pytest.mark.parametrize(
    "change",
    [
        {"marker_key": "shop:checkout:staging"},
        {"current": Revision(recorded="6.8.0")},
        {"content": Content(identity="6.9.1@sha256:1", revision=stories.REVISION)},
        {"content": Content(identity="6.9.1", revision=Revision(recorded="6.9.1+abc"))},
        *(
            {"destination": stories.DESTINATION.model_copy(update={field: "other"})}
            for field in ("origin", "owner", "repository", "base_branch", "path")
        ),
        *(
            {
                "promotion": stories.ref().model_copy(
                    update={"pipeline": stories.PIPELINE.model_copy(update=update)}
                )
            }
            for update in ({"uid": "uid-2"}, {"generation": 2})
        ),
        {"promotion": stories.ref().model_copy(update={"environment": "test"})},
    ],
    ids=str,
)
def test_consent_is_to_exactly_what_was_shown(change: dict[str, Any]) -> None:
    shown = identity.consent_digest(stories.requested())

    assert identity.consent_digest(stories.requested(**change)) != shown


@pytest.mark.parametrize("tag", ["", "v6.9.1"])
def test_consent_to_what_merges_itself_is_another_one(tag: str) -> None:
    revision = stories.REVISION.model_copy(update={"version": "6.9.1", "tag": tag})
    asked = stories.requested(content=Content(identity="6.9.1", revision=revision))

    digests = {identity.consent_digest(asked, merges_itself=merges) for merges in (False, True)}

    assert len(digests) == 2


def test_consent_digest_never_changes_between_releases() -> None:
    """If it did, consents from before an upgrade would be asked for again."""
    assert (
        identity.consent_digest(stories.requested())
        == "2b30e81a01ac2949c0eebaae5ce8cbde9f2bbe2ae377764c92126503470c4ae6"
    )


@pytest.mark.parametrize(
    "change", [{"manual": True}, {"requested_at": None}, {"previous_promotion_id": "x"}], ids=str
)
def test_consent_does_not_depend_on_what_changes_nothing_at_the_forge(
    change: dict[str, Any],
) -> None:
    digest = identity.consent_digest(stories.requested(**change))

    assert digest == identity.consent_digest(stories.requested())


def _branch(*, namespace: str, pipeline: str, environment: str, promotion_id: str, n: int) -> str:
    where = PipelineRef(namespace=namespace, name=pipeline, uid="u")
    ref = PromotionRef(promotion_id=promotion_id, pipeline=where, environment=environment)
    return identity.head_branch(stories.requested(promotion=ref), attempt=n)


def _git_accepts(branch: str) -> bool:
    done = subprocess.run(
        ["git", "check-ref-format", "--branch", branch], check=False, capture_output=True
    )
    return done.returncode == 0


@settings(max_examples=60)
@given(
    namespace=KUBERNETES_NAMES,
    pipeline=KUBERNETES_NAMES,
    environment=FREE_TEXT,
    promotion_id=IDS,
    n=st.integers(min_value=1, max_value=999),
)
def test_branch_is_valid_to_git_and_short(
    namespace: str, pipeline: str, environment: str, promotion_id: str, n: int
) -> None:
    branch = _branch(
        namespace=namespace, pipeline=pipeline, environment=environment,
        promotion_id=promotion_id, n=n,
    )  # fmt: skip

    assert len(branch.encode()) <= identity.BRANCH_BYTES_MAX
    assert promotion_id in branch.rpartition("/")[2]
    assert _git_accepts(branch)


@pytest.mark.parametrize(
    ("pipeline", "environment"),
    [
        ("podinfo.lock", "prod.lock"), ("a..b", "a..b"), ("x", "@{"), ("x", "-"), ("x", "~^:?*[\\"),
        ("x", "ünïcödé"), ("x", "日本"), ("x", " "), ("x", "a/../b"), ("x", "HEAD"), ("x", "."),
        ("p" * 63, "e" * 200), ("x", "\x00\x7f"), ("x", "İ" * 30),
    ],
)  # fmt: skip
def test_branch_of_a_strange_name_is_valid_to_git(pipeline: str, environment: str) -> None:
    branch = _branch(
        namespace="n" * 63, pipeline=pipeline, environment=environment, promotion_id="a" * 16, n=12
    )

    assert len(branch.encode()) <= identity.BRANCH_BYTES_MAX
    assert _git_accepts(branch)


def test_branch_of_a_later_attempt_is_another_one() -> None:
    request = stories.requested()

    first = identity.head_branch(request, attempt=1)

    assert identity.head_branch(request, attempt=2) == f"{first}-2"
    assert first == f"countersign/shop/checkout/prod/{'p' * 16}"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"namespace": f"{'n' * 40}-a"}, {"namespace": f"{'n' * 40}-b"}),
        ({"pipeline": f"{'p' * 40}-a"}, {"pipeline": f"{'p' * 40}-b"}),
        ({"environment": "production-in-region-one"}, {"environment": "production-in-region-two"}),
        ({"environment": "prod eu"}, {"environment": "prod-eu"}),
        ({"environment": "Prod"}, {"environment": "prod"}),
        ({"pipeline": "a.b"}, {"pipeline": "a-b"}),
    ],
)
def test_branches_of_two_lanes_are_in_two_folders(
    one: dict[str, str], other: dict[str, str]
) -> None:
    names = {"namespace": "n", "pipeline": "p", "environment": "e"}
    branches = [_branch(**{**names, **own}, promotion_id="a" * 16, n=1) for own in (one, other)]

    assert len({branch.rpartition("/")[0] for branch in branches}) == 2


def test_branches_of_all_attempts_are_in_one_folder() -> None:
    branches = [
        _branch(
            namespace="n" * 63, pipeline="p" * 63, environment="e" * 40,
            promotion_id="a" * 16, n=n,
        )
        for n in (1, 2, 999)
    ]  # fmt: skip

    assert len({branch.rpartition("/")[0] for branch in branches}) == 1


def test_page_of_a_repository_is_built_from_its_parts() -> None:
    assert identity.repository_url(stories.DESTINATION) == "https://github.com/shop/gitops"


def test_branch_is_below_the_folder_that_the_forge_list_names_and_never_too_long() -> None:
    pipeline = PipelineRef(namespace="n" * 63, name="p" * 253, uid="u", generation=1)
    ref = PromotionRef(promotion_id="a" * 16, pipeline=pipeline, environment="e" * 63, attempt=1)
    prefix = "x" * identity.BRANCH_PREFIX_CHARACTERS_MAX

    branch = identity.head_branch(
        stories.requested(promotion=ref), attempt=ATTEMPTS_MAX, prefix=prefix
    )

    assert branch.startswith(f"{prefix}/n")
    assert len(branch) <= identity.BRANCH_BYTES_MAX
    assert len(branch.split("/")) == 5
