"""Repository URLs are hostile input: what they name must be what people read in them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countersign.contracts.errors import Rejected
from countersign.contracts.messages import ForgeKind, PullRequestRef
from countersign.dialects.kinds import KINDS
from countersign.dialects.pages import pull_request_page
from countersign.kube.pipelines.strategies import destination

GOOD = {
    "https://github.com/shop/gitops": ("https://github.com", "shop", "gitops"),
    "https://github.com/shop/gitops.git": ("https://github.com", "shop", "gitops"),
    "https://github.com/shop/gitops/": ("https://github.com", "shop", "gitops"),
    "https://github.com/shop/gitops.git/": ("https://github.com", "shop", "gitops"),
    "https://github.com/Shop/Git_Ops.2": ("https://github.com", "Shop", "Git_Ops.2"),
    "https://git.example.com:8443/shop/gitops": ("https://git.example.com:8443", "shop", "gitops"),
    "https://xn--bcher-kva.example/shop/gitops": (
        "https://xn--bcher-kva.example", "shop", "gitops",
    ),
    "https://github.com/shop/podinfo.lock": ("https://github.com", "shop", "podinfo.lock"),
    "http://localhost:3000/shop/gitops": ("http://localhost:3000", "shop", "gitops"),
    "http://127.0.0.1:3000/shop/gitops": ("http://127.0.0.1:3000", "shop", "gitops"),
    "https://git.1password.example/shop/gitops": (
        "https://git.1password.example", "shop", "gitops",
    ),
}  # fmt: skip

BAD = [
    "",
    "/",
    "github.com/shop/gitops",
    "//github.com/shop/gitops",
    "https://github.com",
    "https://github.com/",
    "https://github.com/shop",
    "https://github.com/shop/",
    "https://github.com//gitops",
    "https://github.com/shop//gitops",
    "https://github.com/shop/gitops//",
    "https:///shop/gitops",
    "https:/github.com/shop/gitops",
    "https:\\\\github.com\\shop\\gitops",
    # other ways to reach a repository
    "git@github.com:shop/gitops.git",
    "ssh://git@github.com/shop/gitops",
    "git://github.com/shop/gitops",
    "file:///etc/passwd",
    "file://github.com/shop/gitops",
    "ftp://github.com/shop/gitops",
    "ext::sh -c touch% /tmp/pwned",
    "javascript:alert(1)//github.com/shop/gitops",
    "HTTPS://github.com/shop/gitops",
    # not encrypted
    "http://github.com/shop/gitops",
    "http://localhost.evil.example/shop/gitops",
    "http://127.0.0.1.evil.example/shop/gitops",
    "http://localhost@evil.example/shop/gitops",
    # another host than it seems
    "https://github.com@evil.example/shop/gitops",
    "https://github.com:pass@evil.example/shop/gitops",
    "https://user@github.com/shop/gitops",
    "https://:@github.com/shop/gitops",
    "https://evil.example\\@github.com/shop/gitops",
    "https://github.com\\.evil.example/shop/gitops",
    "https://github.com./shop/gitops",
    "https://github.com../shop/gitops",
    "https://.github.com/shop/gitops",
    "https://github..com/shop/gitops",
    "https://g\u0131thub.com/shop/gitops",
    "https://\uff47ithub.com/shop/gitops",
    "https://github\u3002com/shop/gitops",
    "https://github.com\u2215shop/gitops",
    "https://githu\u212a.com/shop/gitops",
    "https://b\u00fccher.example/shop/gitops",
    "https://git\thub.com/shop/gitops",
    "https://github.com\t.evil.example/shop/gitops",
    "https://github.com\n.evil.example/shop/gitops",
    "https://github.com\x00.evil.example/shop/gitops",
    "https://github.com%2eevil.example/shop/gitops",
    "https://github.com#@evil.example/shop/gitops",
    "https://github.com?@evil.example/shop/gitops",
    "https://github.com;evil.example/shop/gitops",
    "https://github_com/shop/gitops",
    "https://-github.com/shop/gitops",
    "https://github-.com/shop/gitops",
    # addresses
    "https://127.0.0.2/shop/gitops",
    "https://10.0.0.5/shop/gitops",
    "https://169.254.169.254/latest/meta-data",
    "https://127.1/shop/gitops",
    "https://2130706433/shop/gitops",
    "https://0x7f000001/shop/gitops",
    "https://0x7f.1/shop/gitops",
    "https://0177.0.0.1/shop/gitops",
    "https://[::1]/shop/gitops",
    "https://[::ffff:127.0.0.1]/shop/gitops",
    # ports
    "https://github.com:/shop/gitops",
    "https://github.com:0/shop/gitops",
    "https://github.com:0443/shop/gitops",
    "https://github.com:99999/shop/gitops",
    "https://github.com:443x/shop/gitops",
    "https://github.com:-1/shop/gitops",
    # paths
    "https://github.com/shop/../evil/gitops",
    "https://github.com/shop/..",
    "https://github.com/../gitops",
    "https://github.com/./gitops",
    "https://github.com/shop/.git",
    "https://github.com/shop/%2e%2e/evil/gitops",
    "https://github.com/shop%2Fgitops/x",
    "https://github.com/shop/gitops%00",
    "https://github.com/shop/gitops%0d%0aX: y",
    "https://github.com/shop/gitops\r\nHost: evil.example",
    "https://github.com/shop/gitops?ref=main",
    "https://github.com/shop/gitops#readme",
    "https://github.com/shop/gitops;x",
    "https://github.com/shop/git ops",
    " https://github.com/shop/gitops",
    "https://github.com/shop/gitops ",
    "https://github.com/shop/gitops\n",
    "https://github.com/shop\\evil/gitops",
    "https://github.com/shop/\u202egitops",
    "https://github.com/shop/git\u00f6ps",
    "https://github.com/group/shop/gitops",
    "https://github.com/shop/" + "g" * 2000,
]


# With a repository's page, where it is not what the clone URL says.
ELSEWHERE = {
    ForgeKind.GITLAB: {
        "https://gitlab.com/a/b/c/gitops.git": ("https://gitlab.com", "a/b/c", "gitops"),
    },
    ForgeKind.BITBUCKET_CLOUD: {
        "https://bitbucket.org/shop/gitops.git": ("https://bitbucket.org", "shop", "gitops"),
        "https://ada_l-1@bitbucket.org/shop/gitops.git": (
            "https://bitbucket.org", "shop", "gitops",
        ),
    },
    ForgeKind.BITBUCKET_SERVER: {
        "https://git.example/scm/SHOP/gitops.git": ("https://git.example", "SHOP", "gitops"),
        "https://git.example/SHOP/gitops": ("https://git.example", "SHOP", "gitops"),
        "https://git.example/scm/~ada/gitops.git": ("https://git.example", "~ada", "gitops"),
    },
    ForgeKind.AZURE_DEVOPS: {
        "https://dev.azure.com/acme/Web%20Shop/_git/git%20ops": (
            "https://dev.azure.com", "acme/Web Shop", "git ops",
        ),
        "https://acme@dev.azure.com/acme/shop/_git/gitops": (
            "https://dev.azure.com", "acme/shop", "gitops",
        ),
        "https://dev.azure.com/acme/_git/shop": ("https://dev.azure.com", "acme/shop", "shop"),
        "https://dev.azure.com/acme/K%C3%BCche/_git/gitops.git": (
            "https://dev.azure.com", "acme/Küche", "gitops.git",
        ),
        "https://acme.visualstudio.com/shop/_git/gitops": (
            "https://acme.visualstudio.com", "shop", "gitops",
        ),
        "https://tfs.example/tfs/Default/shop/_git/gitops": (
            "https://tfs.example", "tfs/Default/shop", "gitops",
        ),
    },
}  # fmt: skip
BAD_ELSEWHERE = {
    ForgeKind.GITLAB: [
        "https://gitlab.com/shop/gitops/-/tree",
        "https://gitlab.com/a/b/c/d/e/f/gitops",
        "https://gitlab.com/gitops",
    ],
    ForgeKind.BITBUCKET_CLOUD: [
        "https://ada:secret@bitbucket.org/shop/gitops",
        "https://ada@evil.example/shop/gitops",
        "https://github.com@bitbucket.org/shop/gitops",
        "https://ada@bitbucket.org@evil.example/shop/gitops",
        "https://ada@bitbucket.org.evil.example/shop/gitops",
        "https://ada@bitbucket.org/shop/gitops\n",
        "https://ada@ada@bitbucket.org/shop/gitops",
    ],
    ForgeKind.BITBUCKET_SERVER: [
        "https://git.example/scm/SHOP",
        "https://git.example/projects/SHOP/repos/gitops",
        "https://git.example/scm/scm/SHOP/gitops",
        "https://git.example/scm/~/gitops",
    ],
    ForgeKind.AZURE_DEVOPS: [
        "https://dev.azure.com/acme/shop/gitops",
        "https://dev.azure.com/_git/gitops",
        "https://dev.azure.com/acme/shop/_git/a/b",
        "https://dev.azure.com/acme/_git/_git/gitops",
        "https://evil@dev.azure.com/acme/shop/_git/gitops",
        "https://acme:secret@dev.azure.com/acme/shop/_git/gitops",
        "https://acme@evil.example/acme/shop/_git/gitops",
        "https://dev.azure.com/acme/a%2Fb/_git/gitops",
        "https://dev.azure.com/acme/%252e/_git/gitops",
        "https://dev.azure.com/acme/%2e%2e/_git/gitops",
        "https://dev.azure.com/acme/shop%0a/_git/gitops",
        "https://dev.azure.com/acme/%E2%80%AEshop/_git/gitops",
        "https://dev.azure.com/acme/%20shop/_git/gitops",
        "https://dev.azure.com/acme/sh%FFop/_git/gitops",
        "https://dev.azure.com/acme/web shop/_git/gitops",
        "https://dev.azure.com/acme/shop/_git/gitops?path=/",
    ],
}
PAGES = {
    ForgeKind.GITHUB: ("acme", "gitops", "acme/gitops/pull/7"),
    ForgeKind.GITLAB: ("a/b", "gitops", "a/b/gitops/-/merge_requests/7"),
    ForgeKind.BITBUCKET_CLOUD: ("acme", "gitops", "acme/gitops/pull-requests/7"),
    ForgeKind.BITBUCKET_SERVER: ("SHOP", "gitops", "projects/SHOP/repos/gitops/pull-requests/7"),
    ForgeKind.AZURE_DEVOPS: (
        "acme/Web Shop", "git ops", "acme/Web%20Shop/_git/git%20ops/pullrequest/7",
    ),
    ForgeKind.GITEA: ("acme", "gitops", "acme/gitops/pulls/7"),
    ForgeKind.FORGEJO: ("acme", "gitops", "acme/gitops/pulls/7"),
}  # fmt: skip


def place_of(url: str, kind: ForgeKind = ForgeKind.GITHUB) -> tuple[str, str, str]:
    return KINDS[kind].addresses.place_of(url)


@pytest.mark.parametrize(("url", "parts"), GOOD.items(), ids=GOOD)
def test_repository_url_is_taken_apart(url: str, parts: tuple[str, str, str]) -> None:
    assert place_of(url) == parts


@pytest.mark.parametrize(
    ("kind", "url", "parts"),
    [(kind, *case) for kind, cases in ELSEWHERE.items() for case in cases.items()],
)
def test_repository_url_is_taken_apart_as_its_kind_has_it(
    kind: ForgeKind, url: str, parts: tuple[str, str, str]
) -> None:
    assert place_of(url, kind) == parts


@pytest.mark.parametrize("url", BAD, ids=ascii)
@pytest.mark.parametrize("kind", KINDS)
def test_tricky_repository_url_is_rejected_of_every_kind(url: str, kind: ForgeKind) -> None:
    if kind is ForgeKind.GITLAB and url == "https://github.com/group/shop/gitops":
        return

    with pytest.raises(Rejected) as caught:
        place_of(url, kind)

    assert caught.value.reason == "bad_repository_url"


@pytest.mark.parametrize(
    ("kind", "url"), [(kind, url) for kind, urls in BAD_ELSEWHERE.items() for url in urls]
)
def test_url_that_its_kind_does_not_have_is_rejected(kind: ForgeKind, url: str) -> None:
    with pytest.raises(Rejected) as caught:
        place_of(url, kind)

    assert caught.value.reason == "bad_repository_url"


@given(kind=st.sampled_from(sorted(KINDS)), text=st.text(max_size=60))
def test_any_text_is_either_taken_apart_or_rejected(kind: ForgeKind, text: str) -> None:
    """And what is taken apart has sound names."""
    for url in (text, f"https://{text}", f"https://dev.azure.com/a/_git/{text}"):
        try:
            origin, owner, repository = place_of(url, kind)
        except Rejected:
            continue
        assert origin == "https://dev.azure.com" or url.startswith(origin)
        assert (owner + repository).isprintable()
        assert ".." not in f"{owner}/{repository}".split("/")


@given(st.text("@:/\\.?#%gihub.com", max_size=20))
def test_origin_is_what_stands_before_the_first_slash(junk: str) -> None:
    try:
        origin, _, _ = place_of(f"https://github.com{junk}/shop/gitops")
    except Rejected:
        return
    assert origin == "https://github.com" or origin.removeprefix("https://github.com")[0] in (
        ":.gihubcom"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_page_is_built_as_its_kind_has_it(kind: ForgeKind) -> None:
    owner, repository, path = PAGES[kind]
    ref = PullRequestRef(
        kind=kind, origin="https://forge.example", owner=owner, repository=repository, number=7
    )

    assert pull_request_page(ref) == f"https://forge.example/{path}"


def test_destination_knows_its_kind_and_folder() -> None:
    to = destination(
        kind="github", url="https://github.com/shop/gitops", base_branch="main", path="/apps/"
    )

    assert (to.kind, to.path) == (ForgeKind.GITHUB, "apps")
