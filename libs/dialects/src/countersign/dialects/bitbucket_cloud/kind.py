"""Bitbucket Cloud among the kinds of forges."""

import re
from typing import Final

from countersign.contracts.messages import ForgeKind
from countersign.dialects.addresses import Addresses
from countersign.dialects.bitbucket_cloud.inspection import INSPECTION
from countersign.dialects.bitbucket_cloud.oauth import OAUTH
from countersign.dialects.bitbucket_cloud.repository import BitbucketCloudRepository
from countersign.dialects.bitbucket_cloud.webhooks import SCHEME
from countersign.dialects.bitbucket_cloud.words import ERRORS
from countersign.dialects.capabilities import Capabilities, Presentation, Reach, Revoker
from countersign.dialects.kind import Kind

# Bitbucket writes the name of whoever looks at the page in front of the host. It holds no dot, and
# with a password behind it nothing is taken.
# Source: https://support.atlassian.com/bitbucket-cloud/docs/configure-ssh-and-two-step-verification/
_WITH_USER: Final = re.compile(r"https://[A-Za-z0-9_-]+@(bitbucket\.org/.*)")


def _plain_url(url: str) -> str:
    match = _WITH_USER.fullmatch(url)
    return f"https://{match[1]}" if match else url


BITBUCKET_CLOUD: Final = Kind(
    kind=ForgeKind.BITBUCKET_CLOUD,
    title="Bitbucket Cloud",
    capabilities=Capabilities(
        reach=Reach.REPOSITORIES,
        wants_acceptance=True,
        revoked_by=Revoker.NOBODY,
        stored_as=Presentation.BASIC_IF_NAMED,
        drafts=True,
    ),
    addresses=Addresses(
        api_base=lambda _: "https://api.bitbucket.org/2.0",
        pull_path="pull-requests",
        compare_path="branches/compare/{new}%0D{old}",
        plain_url=_plain_url,
        example="https://bitbucket.org/workspace/repository",
    ),
    webhooks=SCHEME,
    errors=ERRORS,
    oauth=OAUTH,
    inspection=INSPECTION,
    repository=BitbucketCloudRepository,
)
