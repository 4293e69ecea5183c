"""Pages at forges that say what lies between two commits."""

import pytest
from doubles import stories

from countersign.contracts.forge_list import Forge
from countersign.contracts.messages import ForgeKind, PromotionRequested, PullRequestRef
from countersign.contracts.revision import parse_revision
from countersign.dialects.kinds import KINDS
from countersign.dialects.pages import comparison_page, pull_request_reference

OLD, NEW = "a" * 40, "b" * 40
SOURCE = "https://forge.example/team/app"


def requested(
    source: str = SOURCE, *, old: str = f"main@sha1:{OLD}", new: str = f"main@sha1:{NEW}"
) -> PromotionRequested:
    purl = f"pkg:generic/app@{NEW}?vcs_url=git%2B{source.replace(':', '%3A')}%40{NEW}"
    request = stories.requested(current=parse_revision(old))
    content = request.content.model_copy(update={"revision": parse_revision(new)})
    ref = request.promotion.model_copy(update={"purl": purl})
    return request.model_copy(update={"content": content, "promotion": ref})


def forge(kind: ForgeKind, origin: str = "https://forge.example") -> Forge:
    return Forge(name="F", kind=kind.name.lower().replace("_", "-"), origin=origin)


@pytest.mark.parametrize("kind", [ForgeKind.GITHUB, ForgeKind.GITLAB, ForgeKind.GITEA])
def test_commits_of_a_source_at_the_forge_are_compared_there(kind: ForgeKind) -> None:
    page = comparison_page(forge(kind), requested())

    assert page.startswith(f"{SOURCE}/")
    assert page.endswith(f"/compare/{OLD}...{NEW}")


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.name)
def test_every_kind_of_forge_names_both_commits(kind: ForgeKind) -> None:
    path = KINDS[kind].addresses.compare_path

    assert {"{old}", "{new}"} <= {path[path.find(p) :][: len(p)] for p in ("{old}", "{new}")}


@pytest.mark.parametrize(
    "request_",
    [
        requested("https://elsewhere.example/team/app"),
        requested("https://forge.example:8443/team/app"),
        requested("https://forge.example/only"),
        requested("https://forge.example/../team/app"),
        requested(old="6.8.4"),
        requested(new="6.9.0"),
    ],
    ids=["elsewhere", "other port", "no repository", "a way up", "a chart", "to a chart"],
)
def test_page_that_is_not_known_is_never_guessed(request_: PromotionRequested) -> None:
    assert comparison_page(forge(ForgeKind.GITHUB), request_) == ""


def test_source_by_ssh_is_at_the_forge_of_that_host() -> None:
    page = comparison_page(forge(ForgeKind.GITHUB), requested("ssh://forge.example/team/app"))

    assert page == f"{SOURCE}/compare/{OLD}...{NEW}"


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (ForgeKind.GITHUB, "#12"),
        (ForgeKind.GITLAB, "!12"),
        (ForgeKind.GITEA, "#12"),
        (ForgeKind.FORGEJO, "#12"),
        (ForgeKind.BITBUCKET_CLOUD, "#12"),
        (ForgeKind.BITBUCKET_SERVER, "#12"),
        # `#12` is a work item there.
        (ForgeKind.AZURE_DEVOPS, "!12"),
        # Of an event from a newer version.
        (ForgeKind.UNSPECIFIED, "#12"),
    ],
)
def test_pull_request_is_called_as_its_forge_calls_it(kind: ForgeKind, said: str) -> None:
    ref = PullRequestRef(
        kind=kind, origin="https://forge.example", owner="o", repository="r", number=12
    )

    assert pull_request_reference(ref) == said
