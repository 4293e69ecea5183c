"""Repository URLs are hostile input: what they name must be what people read in them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countersign.contracts.errors import Rejected
from countersign.contracts.forge_list import destination, parse_repository_url
from countersign.contracts.messages import ForgeKind

GOOD = {
    "https://github.com/shop/gitops": ("https://github.com", "shop", "gitops"),
    "https://github.com/shop/gitops.git": ("https://github.com", "shop", "gitops"),
    "https://github.com/shop/gitops/": ("https://github.com", "shop", "gitops"),
    "https://github.com/shop/gitops.git/": ("https://github.com", "shop", "gitops"),
    "https://github.com/Shop/Git_Ops.2": ("https://github.com", "Shop", "Git_Ops.2"),
    "https://git.example.com:8443/shop/gitops": ("https://git.example.com:8443", "shop", "gitops"),
    "https://gitlab.com/a/b/c/gitops": ("https://gitlab.com", "a/b/c", "gitops"),
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
    "https://gitlab.com/shop/gitops/-/tree",
    "https://gitlab.com/a/b/c/d/e/f/gitops",
    "https://github.com/shop/" + "g" * 2000,
]


@pytest.mark.parametrize(("url", "parts"), GOOD.items(), ids=GOOD)
def test_repository_url_is_taken_apart(url: str, parts: tuple[str, str, str]) -> None:
    assert parse_repository_url(url) == parts


@pytest.mark.parametrize("url", BAD, ids=ascii)
def test_tricky_repository_url_is_rejected(url: str) -> None:
    with pytest.raises(Rejected) as caught:
        parse_repository_url(url)

    assert caught.value.reason == "bad_repository_url"


@given(st.text(max_size=60))
def test_any_text_is_either_taken_apart_or_rejected(text: str) -> None:
    """And what is taken apart says the same when it is put together again."""
    for url in (text, f"https://{text}", f"https://github.com/{text}"):
        try:
            origin, owner, repository = parse_repository_url(url)
        except Rejected:
            continue
        together = f"{origin}/{owner}/{repository}"
        assert parse_repository_url(together) == (origin, owner, repository)
        assert url.startswith(together)


@given(st.text("@:/\\.?#%gihub.com", max_size=20))
def test_origin_is_what_stands_before_the_first_slash(junk: str) -> None:
    try:
        origin, _, _ = parse_repository_url(f"https://github.com{junk}/shop/gitops")
    except Rejected:
        return
    assert origin == "https://github.com" or origin.removeprefix("https://github.com")[0] in (
        ":.gihubcom"
    )


def test_destination_knows_its_kind_and_folder() -> None:
    to = destination(
        kind="github", url="https://github.com/shop/gitops", base_branch="main", path="/apps/"
    )

    assert (to.kind, to.path) == (ForgeKind.GITHUB, "apps")


def test_destination_of_an_unknown_kind_is_unspecified() -> None:
    to = destination(kind="svn", url="https://example.com/shop/gitops", base_branch="main")

    assert to.kind is ForgeKind.UNSPECIFIED
