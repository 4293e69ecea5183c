"""Bitbucket Data Center among the kinds of forges."""

from typing import Final

from countersign.contracts.messages import ForgeKind
from countersign.dialects.bitbucket_server.addresses import ADDRESSES
from countersign.dialects.bitbucket_server.inspection import INSPECTION
from countersign.dialects.bitbucket_server.oauth import OAUTH
from countersign.dialects.bitbucket_server.repository import BitbucketServerRepository
from countersign.dialects.bitbucket_server.webhooks import SCHEME
from countersign.dialects.bitbucket_server.words import ERRORS
from countersign.dialects.capabilities import Capabilities, Reach, Revoker
from countersign.dialects.kind import Kind

BITBUCKET_SERVER: Final = Kind(
    kind=ForgeKind.BITBUCKET_SERVER,
    title="Bitbucket Data Center",
    capabilities=Capabilities(
        reach=Reach.REPOSITORIES,
        wants_acceptance=True,
        revoked_by=Revoker.NOBODY,
        tells_expiry=True,
        tells_last_use=True,
        one_commit_many_files=False,
        reads_by_id=True,
    ),
    addresses=ADDRESSES,
    webhooks=SCHEME,
    errors=ERRORS,
    oauth=OAUTH,
    inspection=INSPECTION,
    repository=BitbucketServerRepository,
)
