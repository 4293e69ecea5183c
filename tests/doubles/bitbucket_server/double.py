"""Bitbucket Data Center for the suite of behaviours."""

from doubles.bitbucket_server.api import BitbucketServerApi
from doubles.bitbucket_server.oauth import BitbucketServerOAuth
from doubles.forge.double import Double, Wire

_REPOSITORY = "/api/latest/projects/acme/repos/fleet"
BITBUCKET_SERVER = Double(
    api=BitbucketServerApi,
    oauth=BitbucketServerOAuth,
    vendor="bitbucket-dc",
    wire=Wire(
        repository=("GET", _REPOSITORY),
        commit=("PUT", f"{_REPOSITORY}/browse/"),
        close=("POST", "/decline"),
        wrong=(
            ("POST", f"{_REPOSITORY}/pull-requests", {"title": "x"}),
            ("POST", f"{_REPOSITORY}/branches", {"name": 5}),
            ("POST", f"{_REPOSITORY}/nonsense", {"title": "x"}),
        ),
    ),
    api_path="/rest",
    scopes=("REPO_WRITE",),
    tells_modes=False,
)
