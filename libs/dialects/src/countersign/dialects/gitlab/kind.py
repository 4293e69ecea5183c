"""GitLab among the kinds of forges."""

from typing import Final

from countersign.contracts.messages import ForgeKind
from countersign.dialects.capabilities import Capabilities, Reach, Revoker
from countersign.dialects.gitlab.addresses import ADDRESSES
from countersign.dialects.gitlab.inspection import INSPECTION
from countersign.dialects.gitlab.oauth import OAUTH
from countersign.dialects.gitlab.repository import GitLabRepository
from countersign.dialects.gitlab.webhooks import SCHEME
from countersign.dialects.gitlab.words import ERRORS
from countersign.dialects.kind import Kind

GITLAB: Final = Kind(
    kind=ForgeKind.GITLAB,
    title="GitLab",
    capabilities=Capabilities(
        reach=Reach.EVERYTHING,
        wants_acceptance=True,
        revoked_by=Revoker.APPLICATION,
        tells_expiry=True,
        tells_last_use=True,
        reads_by_id=True,
        signs_api_commits=True,
        device_flow=True,
        labels=True,
        drafts=True,
        auto_merges=True,
    ),
    addresses=ADDRESSES,
    webhooks=SCHEME,
    errors=ERRORS,
    oauth=OAUTH,
    inspection=INSPECTION,
    repository=GitLabRepository,
)
