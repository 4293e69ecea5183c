"""The one table of forge kinds: what each can do, and the parts of its dialect that are built.

Whoever needs to know something of a forge asks its row; nobody else names a kind.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from countersign.contracts.forge_list import Forge
from countersign.contracts.messages import ForgeKind
from countersign.contracts.secret import Secret
from countersign.dialects.addresses import Addresses, below
from countersign.dialects.azure_devops import webhooks as azure_devops_webhooks
from countersign.dialects.azure_devops.addresses import ADDRESSES as AZURE_DEVOPS_ADDRESSES
from countersign.dialects.bitbucket_cloud import webhooks as bitbucket_cloud_webhooks
from countersign.dialects.bitbucket_server import webhooks as bitbucket_server_webhooks
from countersign.dialects.bitbucket_server.addresses import ADDRESSES as BITBUCKET_SERVER_ADDRESSES
from countersign.dialects.capabilities import Capabilities, Presentation, Reach, Revoker
from countersign.dialects.delegation.oauth import OAuthDialect
from countersign.dialects.exchange import Basic
from countersign.dialects.gitea import webhooks as gitea_webhooks
from countersign.dialects.gitea.inspection import INSPECTION as GITEA_INSPECTION
from countersign.dialects.gitea.oauth import OAUTH as GITEA_OAUTH
from countersign.dialects.github import webhooks as github_webhooks
from countersign.dialects.github.addresses import ADDRESSES as GITHUB_ADDRESSES
from countersign.dialects.github.inspection import INSPECTION as GITHUB_INSPECTION
from countersign.dialects.github.limits import LIMITS as GITHUB_LIMITS
from countersign.dialects.github.oauth import OAUTH as GITHUB_OAUTH
from countersign.dialects.gitlab import webhooks as gitlab_webhooks
from countersign.dialects.gitlab.addresses import ADDRESSES as GITLAB_ADDRESSES
from countersign.dialects.hooks.schemes import Scheme
from countersign.dialects.inspection import InspectionDialect
from countersign.dialects.limits import STANDARD, Limits


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One row.

    Args:
        title: what people call it.
        oauth: none while nobody can delegate there.
        inspection: none while stored tokens cannot be asked about.
        opens_pulls: whether its repositories can be written to.

    """

    kind: ForgeKind
    title: str
    capabilities: Capabilities
    addresses: Addresses
    webhooks: Scheme
    limits: Limits = STANDARD
    oauth: OAuthDialect | None = None
    inspection: InspectionDialect | None = None
    opens_pulls: bool = False


_GITHUB: Final = Kind(
    kind=ForgeKind.GITHUB,
    title="GitHub",
    capabilities=Capabilities(
        reach=Reach.ONE_REPOSITORY,
        wants_acceptance=False,
        revoked_by=Revoker.APPLICATION,
        narrows=True,
        tells_expiry=True,
        app_tokens=True,
        reads_by_id=True,
        signs_api_commits=True,
        device_flow=True,
    ),
    addresses=GITHUB_ADDRESSES,
    webhooks=github_webhooks.SCHEME,
    limits=GITHUB_LIMITS,
    oauth=GITHUB_OAUTH,
    inspection=GITHUB_INSPECTION,
    opens_pulls=True,
)
_GITLAB: Final = Kind(
    kind=ForgeKind.GITLAB,
    title="GitLab",
    capabilities=Capabilities(
        reach=Reach.EVERYTHING,
        wants_acceptance=True,
        revoked_by=Revoker.APPLICATION,
        tells_expiry=True,
        tells_last_use=True,
        reads_by_id=True,
        device_flow=True,
    ),
    addresses=GITLAB_ADDRESSES,
    webhooks=gitlab_webhooks.SCHEME,
)
_BITBUCKET_CLOUD: Final = Kind(
    kind=ForgeKind.BITBUCKET_CLOUD,
    title="Bitbucket Cloud",
    capabilities=Capabilities(
        reach=Reach.REPOSITORIES,
        wants_acceptance=True,
        revoked_by=Revoker.NOBODY,
        stored_as=Presentation.BASIC,
    ),
    addresses=Addresses(
        api_base=lambda _: "https://api.bitbucket.org/2.0", pull_path="pull-requests"
    ),
    webhooks=bitbucket_cloud_webhooks.SCHEME,
)
_BITBUCKET_SERVER: Final = Kind(
    kind=ForgeKind.BITBUCKET_SERVER,
    title="Bitbucket Server",
    capabilities=Capabilities(
        reach=Reach.REPOSITORIES,
        wants_acceptance=True,
        revoked_by=Revoker.APPLICATION,
        tells_last_use=True,
        one_commit_many_files=False,
    ),
    addresses=BITBUCKET_SERVER_ADDRESSES,
    webhooks=bitbucket_server_webhooks.SCHEME,
)
_AZURE_DEVOPS: Final = Kind(
    kind=ForgeKind.AZURE_DEVOPS,
    title="Azure DevOps",
    capabilities=Capabilities(
        reach=Reach.REPOSITORIES,
        wants_acceptance=True,
        revoked_by=Revoker.NOBODY,
        stored_as=Presentation.BASIC,
        reads_by_id=True,
        device_flow=True,
    ),
    addresses=AZURE_DEVOPS_ADDRESSES,
    webhooks=azure_devops_webhooks.SCHEME,
)
_GITEA_CAPABILITIES: Final = Capabilities(
    reach=Reach.REPOSITORIES,
    wants_acceptance=False,
    revoked_by=Revoker.NOBODY,
    reads_by_id=True,
    signs_api_commits=True,
)
_GITEA_ADDRESSES: Final = Addresses(api_base=below("/api/v1"), pull_path="pulls")
_GITEA: Final = Kind(
    kind=ForgeKind.GITEA,
    title="Gitea",
    capabilities=_GITEA_CAPABILITIES,
    addresses=_GITEA_ADDRESSES,
    webhooks=gitea_webhooks.GITEA,
    oauth=GITEA_OAUTH,
    inspection=GITEA_INSPECTION,
    opens_pulls=True,
)
_FORGEJO: Final = Kind(
    kind=ForgeKind.FORGEJO,
    title="Forgejo",
    capabilities=_GITEA_CAPABILITIES,
    addresses=_GITEA_ADDRESSES,
    webhooks=gitea_webhooks.FORGEJO,
    oauth=GITEA_OAUTH,
    inspection=GITEA_INSPECTION,
    opens_pulls=True,
)


def _table(rows: Iterable[Kind]) -> dict[ForgeKind, Kind]:
    return {row.kind: row for row in rows}


KINDS: Final[Mapping[ForgeKind, Kind]] = _table(
    (_GITHUB, _GITLAB, _BITBUCKET_CLOUD, _BITBUCKET_SERVER, _AZURE_DEVOPS, _GITEA, _FORGEJO)
)


def kind_of(forge: Forge) -> Kind:
    """Return the row of an administrator's entry."""
    return KINDS[forge.forge_kind]


def presented(forge: Forge, token: Secret, *, username: str = "") -> Secret | Basic:
    """Return a stored token as its forge wants to see it.

    The name is what its Secret says, and empty where it says none.
    """
    basic = kind_of(forge).capabilities.stored_as is Presentation.BASIC
    return Basic(user=username, password=token) if basic else token


def sign_in_origins(forge: Forge) -> tuple[str, ...]:
    """Return all origins that a sign-in at this forge may lead a browser to, its own first.

    The transport, the pages' policy and the check of where a person is sent all ask here.
    """
    kinds_own = kind_of(forge).addresses.sign_in_origins
    return (forge.origin, *kinds_own, *forge.sign_in_origins)
