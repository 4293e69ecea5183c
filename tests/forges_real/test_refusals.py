"""What a real Gitea refuses, and in what words we say it."""

import pytest
from conformance.stages import FULL_NAME, OTHER, OWNER, PLACE, WRITER
from conformance.test_writing import BRANCH, TEXT, change
from forges_real.stage import RealStage

from countersign.contracts.errors import Rejected
from countersign.dialects.refusals import ForgeRefusal
from countersign.dialects.repositories.interface import LookScope

SCOPE = LookScope(head_branch=BRANCH)


async def refused_look(stage: RealStage, *, token: str = "") -> Rejected:
    with pytest.raises(Rejected) as caught:
        await stage.client(token=token).look(PLACE, SCOPE)
    return caught.value


async def test_who_has_no_access_finds_nothing(stage: RealStage) -> None:
    stage.server.person("stranger")
    token = stage.server.personal_token("stranger", "read:user", "write:repository")

    refusal = await refused_look(stage, token=token)

    assert refusal.reason == ForgeRefusal.NOT_FOUND


async def test_token_without_the_scope_is_forbidden(stage: RealStage) -> None:
    token = stage.server.personal_token(WRITER, "read:user")

    refusal = await refused_look(stage, token=token)

    assert refusal.reason == ForgeRefusal.FORBIDDEN


@pytest.mark.parametrize("rule", ["countersign/**", "**"])
async def test_rule_that_protects_our_branches_refuses_the_commit(
    stage: RealStage, rule: str
) -> None:
    new = change(stage)
    stage.server.protect(FULL_NAME, rule=rule, push=False)

    with pytest.raises(Rejected) as caught:
        await stage.client().commit(PLACE, new)

    assert caught.value.reason == ForgeRefusal.REFUSED
    assert not stage.head(BRANCH)


async def test_main_may_be_protected(stage: RealStage) -> None:
    stage.server.protect(FULL_NAME, push=False)

    made = await stage.client().commit(PLACE, change(stage))
    pull = await stage.client().open_pull(PLACE, head=BRANCH, text=TEXT)

    assert stage.head(BRANCH) == made == pull.head_commit


async def test_archived_repository_takes_no_commit(stage: RealStage) -> None:
    new = change(stage)
    stage.archive()

    view = await stage.client().look(PLACE, SCOPE)
    with pytest.raises(Rejected) as caught:
        await stage.client().commit(PLACE, new)

    assert view.archived
    assert caught.value.reason == ForgeRefusal.FORBIDDEN


async def test_renamed_repository_is_told_by_its_new_name(stage: RealStage) -> None:
    stage.server.call("PATCH", f"/repos/{FULL_NAME}", {"name": "armada"})
    try:
        refusal = await refused_look(stage)
    finally:
        stage.server.call("DELETE", f"/repos/{OWNER}/armada")

    assert refusal.reason == ForgeRefusal.MOVED
    assert f"{OWNER}/armada" in refusal.message


async def test_repository_without_pull_requests_is_told_as_that(stage: RealStage) -> None:
    stage.server.call("PATCH", f"/repos/{FULL_NAME}", {"has_pull_requests": False})

    refusal = await refused_look(stage)

    assert refusal.reason == ForgeRefusal.NOT_FOUND
    assert "pull requests" in refusal.message


async def test_label_of_the_organization_is_not_the_repositorys(stage: RealStage) -> None:
    stage.server.call("POST", f"/orgs/{OWNER}/labels", {"name": "of all", "color": "#00aabb"})
    stage.push(BRANCH, {"README.md": "new\n"})
    number = stage.open(BRANCH, by=OTHER)

    with pytest.raises(Rejected) as caught:
        await stage.client().label(PLACE, number, labels=["of all"])

    assert caught.value.reason == ForgeRefusal.NOT_FOUND
    assert stage.pull(number).labels == ()
