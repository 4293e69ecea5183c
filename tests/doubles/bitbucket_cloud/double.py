"""Bitbucket Cloud for the suite of behaviours."""

from doubles.bitbucket_cloud.api import BitbucketCloudApi
from doubles.bitbucket_cloud.oauth import BitbucketCloudOAuth
from doubles.forge.double import Double, Wire

_REPOSITORY = "/repositories/acme/fleet"
BITBUCKET_CLOUD = Double(
    api=BitbucketCloudApi,
    oauth=BitbucketCloudOAuth,
    vendor="bitbucket-cloud",
    wire=Wire(
        repository=("GET", _REPOSITORY),
        commit=("POST", f"{_REPOSITORY}/src"),
        close=("POST", "/decline"),
        wrong=(
            ("POST", f"{_REPOSITORY}/pullrequests", {"title": "x"}),
            ("POST", f"{_REPOSITORY}/pullrequests", {"title": "x", "source": {"branch": 5}}),
            ("POST", f"{_REPOSITORY}/nonsense", {"title": "x"}),
        ),
    ),
    api_path="/2.0",
    scopes=("account", "pullrequest:write"),
)
