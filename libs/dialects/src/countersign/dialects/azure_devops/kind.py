"""Azure DevOps among the kinds of forges."""

from typing import Final

from countersign.contracts.messages import ForgeKind
from countersign.dialects.azure_devops.addresses import ADDRESSES
from countersign.dialects.azure_devops.inspection import INSPECTION
from countersign.dialects.azure_devops.limits import LIMITS
from countersign.dialects.azure_devops.oauth import OAUTH
from countersign.dialects.azure_devops.repository import AzureDevOpsRepository
from countersign.dialects.azure_devops.webhooks import SCHEME
from countersign.dialects.azure_devops.words import ERRORS
from countersign.dialects.capabilities import Capabilities, Presentation, Reach, Revoker
from countersign.dialects.kind import Kind

AZURE_DEVOPS: Final = Kind(
    kind=ForgeKind.AZURE_DEVOPS,
    title="Azure DevOps",
    capabilities=Capabilities(
        reach=Reach.REPOSITORIES,
        wants_acceptance=True,
        revoked_by=Revoker.NOBODY,
        stored_as=Presentation.BASIC_UNLESS_SIGNED,
        reads_by_id=True,
        device_flow=True,
    ),
    addresses=ADDRESSES,
    webhooks=SCHEME,
    limits=LIMITS,
    errors=ERRORS,
    oauth=OAUTH,
    inspection=INSPECTION,
    repository=AzureDevOpsRepository,
)
