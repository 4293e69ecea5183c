"""Which scheme each kind of forge has."""

from collections.abc import Mapping
from typing import Final

from countersign.contracts.messages import ForgeKind
from countersign.dialects.azure_devops import webhooks as azure_devops
from countersign.dialects.bitbucket_cloud import webhooks as bitbucket_cloud
from countersign.dialects.bitbucket_server import webhooks as bitbucket_server
from countersign.dialects.gitea import webhooks as gitea
from countersign.dialects.github import webhooks as github
from countersign.dialects.gitlab import webhooks as gitlab
from countersign.dialects.webhooks import Scheme

SCHEMES: Final[Mapping[ForgeKind, Scheme]] = {
    ForgeKind.GITHUB: github.SCHEME,
    ForgeKind.GITLAB: gitlab.SCHEME,
    ForgeKind.GITEA: gitea.GITEA,
    ForgeKind.FORGEJO: gitea.FORGEJO,
    ForgeKind.BITBUCKET_CLOUD: bitbucket_cloud.SCHEME,
    ForgeKind.BITBUCKET_SERVER: bitbucket_server.SCHEME,
    ForgeKind.AZURE_DEVOPS: azure_devops.SCHEME,
}
