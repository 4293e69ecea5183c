"""Gitea and Forgejo among the kinds of forges."""

from typing import Final

from countersign.contracts.messages import ForgeKind
from countersign.dialects.addresses import Addresses, below
from countersign.dialects.capabilities import Capabilities, Reach, Revoker
from countersign.dialects.gitea import webhooks
from countersign.dialects.gitea.inspection import INSPECTION
from countersign.dialects.gitea.oauth import OAUTH
from countersign.dialects.gitea.repository import GiteaRepository
from countersign.dialects.kind import Kind

_CAPABILITIES: Final = Capabilities(
    reach=Reach.REPOSITORIES,
    wants_acceptance=False,
    revoked_by=Revoker.NOBODY,
    reads_by_id=True,
    signs_api_commits=True,
    labels=True,
    labels_take_issues=True,
    drafts=True,
    auto_merges=True,
)
_ADDRESSES: Final = Addresses(api_base=below("/api/v1"), pull_path="pulls")
GITEA: Final = Kind(
    kind=ForgeKind.GITEA,
    title="Gitea",
    capabilities=_CAPABILITIES,
    addresses=_ADDRESSES,
    webhooks=webhooks.GITEA,
    oauth=OAUTH,
    inspection=INSPECTION,
    repository=GiteaRepository,
)
FORGEJO: Final = Kind(
    kind=ForgeKind.FORGEJO,
    title="Forgejo",
    capabilities=_CAPABILITIES,
    addresses=_ADDRESSES,
    webhooks=webhooks.FORGEJO,
    oauth=OAUTH,
    inspection=INSPECTION,
    repository=GiteaRepository,
)
