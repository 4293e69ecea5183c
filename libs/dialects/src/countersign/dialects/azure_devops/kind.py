"""Azure DevOps among the kinds of forges."""

from typing import Final

from countersign.contracts.messages import ForgeKind
from countersign.dialects.azure_devops.addresses import ADDRESSES
from countersign.dialects.azure_devops.webhooks import SCHEME
from countersign.dialects.capabilities import Capabilities, Presentation, Reach, Revoker
from countersign.dialects.kind import Kind

AZURE_DEVOPS: Final = Kind(
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
    addresses=ADDRESSES,
    webhooks=SCHEME,
)
