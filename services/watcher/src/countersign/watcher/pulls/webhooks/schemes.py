"""Which scheme each kind of forge has."""

from collections.abc import Mapping
from typing import Final

from countersign.contracts.messages import ForgeKind
from countersign.watcher.pulls.webhooks import (
    azure_devops,
    bitbucket_cloud,
    bitbucket_server,
    gitea,
    github,
    gitlab,
)
from countersign.watcher.pulls.webhooks.interface import Scheme

SCHEMES: Final[Mapping[ForgeKind, Scheme]] = {
    ForgeKind.GITHUB: github.SCHEME,
    ForgeKind.GITLAB: gitlab.SCHEME,
    ForgeKind.GITEA: gitea.GITEA,
    ForgeKind.FORGEJO: gitea.FORGEJO,
    ForgeKind.BITBUCKET_CLOUD: bitbucket_cloud.SCHEME,
    ForgeKind.BITBUCKET_SERVER: bitbucket_server.SCHEME,
    ForgeKind.AZURE_DEVOPS: azure_devops.SCHEME,
}
