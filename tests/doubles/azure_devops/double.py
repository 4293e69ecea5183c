"""Azure DevOps for the suite of behaviours."""

from doubles.azure_devops.api import WRITE, AzureDevOpsApi
from doubles.azure_devops.oauth import TENANT, EntraOAuth
from doubles.forge.double import Double, Wire

_REPOSITORY = "/acme/_apis/git/repositories/fleet"
_VERSION = "api-version=7.1"
AZURE_DEVOPS = Double(
    api=AzureDevOpsApi,
    oauth=EntraOAuth,
    vendor="azure-devops",
    wire=Wire(
        repository=("GET", f"{_REPOSITORY}?{_VERSION}"),
        commit=("POST", f"{_REPOSITORY}/pushes"),
        close=("PATCH", f"{_REPOSITORY}/pullrequests/"),
        wrong=(
            ("POST", f"{_REPOSITORY}/pullrequests?{_VERSION}", {"title": "x"}),
            ("POST", f"{_REPOSITORY}/pushes?{_VERSION}", {"refUpdates": 5, "commits": []}),
            ("POST", f"{_REPOSITORY}/pushes", {"refUpdates": [], "commits": []}),
            ("POST", f"{_REPOSITORY}/nonsense?{_VERSION}", {"title": "x"}),
        ),
        tells_role=False,
    ),
    api_path="/contoso",
    clone_path="/acme/_git/fleet",
    sign_in_path=f"/{TENANT}",
    scopes=(WRITE,),
)
