"""GitLab for the suite of behaviours."""

from doubles.forge.double import Double, Wire
from doubles.gitlab.api import GitLabApi
from doubles.gitlab.oauth import GitLabOAuth

_PROJECT = "/projects/acme%2Ffleet"
GITLAB = Double(
    api=GitLabApi,
    oauth=GitLabOAuth,
    vendor="gitlab",
    wire=Wire(
        repository=("GET", _PROJECT),
        commit=("POST", f"{_PROJECT}/repository/commits"),
        close=("PUT", "/merge_requests/"),
        wrong=(
            ("POST", f"{_PROJECT}/merge_requests", {"title": 5, "source_branch": []}),
            ("POST", f"{_PROJECT}/repository/commits", {"branch": "x", "file": "y"}),
            ("POST", f"{_PROJECT}/nonsense", {"title": "x"}),
        ),
    ),
    api_path="/api/v4",
    scopes=("api",),
)
