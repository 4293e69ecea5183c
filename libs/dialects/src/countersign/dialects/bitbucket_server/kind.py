"""Bitbucket Server among the kinds of forges."""

from typing import Final

from countersign.contracts.messages import ForgeKind
from countersign.dialects.bitbucket_server.addresses import ADDRESSES
from countersign.dialects.bitbucket_server.webhooks import SCHEME
from countersign.dialects.capabilities import Capabilities, Reach, Revoker
from countersign.dialects.kind import Kind

BITBUCKET_SERVER: Final = Kind(
    kind=ForgeKind.BITBUCKET_SERVER,
    title="Bitbucket Server",
    capabilities=Capabilities(
        reach=Reach.REPOSITORIES,
        wants_acceptance=True,
        revoked_by=Revoker.APPLICATION,
        tells_last_use=True,
        one_commit_many_files=False,
    ),
    addresses=ADDRESSES,
    webhooks=SCHEME,
)
