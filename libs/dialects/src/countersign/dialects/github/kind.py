"""GitHub among the kinds of forges."""

from typing import Final

from countersign.contracts.messages import ForgeKind
from countersign.dialects.capabilities import Capabilities, Reach, Revoker
from countersign.dialects.github.addresses import ADDRESSES
from countersign.dialects.github.inspection import INSPECTION
from countersign.dialects.github.limits import ERRORS, LIMITS
from countersign.dialects.github.oauth import OAUTH
from countersign.dialects.github.webhooks import SCHEME
from countersign.dialects.kind import Kind

GITHUB: Final = Kind(
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
        labels=True,
        drafts=True,
        auto_merges=True,
    ),
    addresses=ADDRESSES,
    webhooks=SCHEME,
    limits=LIMITS,
    oauth=OAUTH,
    inspection=INSPECTION,
    errors=ERRORS,
)
