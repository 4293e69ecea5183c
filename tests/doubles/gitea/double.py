"""Gitea and Forgejo for the suite of behaviours."""

from doubles.forge.double import Double, Wire
from doubles.gitea.api import SmallForgeApi
from doubles.gitea.oauth import GiteaOAuth

_WIRE = Wire(
    repository=("GET", "/repos/acme/fleet"),
    commit=("POST", "/repos/acme/fleet/contents"),
    close=("PATCH", "/pulls/"),
    wrong=(
        ("POST", "/repos/acme/fleet/pulls", {"title": 5, "head": [], "base": "main"}),
        ("POST", "/repos/acme/fleet/nonsense", {"title": "x"}),
    ),
)


def _of(vendor: str) -> Double:
    return Double(
        api=SmallForgeApi,
        oauth=GiteaOAuth,
        vendor=vendor,
        wire=_WIRE,
        api_path="/api/v1",
        scopes=("read:user", "write:repository"),
        commenting=("write:issue",),
        labelling=("read:issue",),
    )


GITEA, FORGEJO = _of("gitea"), _of("forgejo")
