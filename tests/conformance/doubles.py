"""The table of doubles: one for each kind that is written to, but for GitHub's own stage."""

from collections.abc import Mapping

from doubles.azure_devops.double import AZURE_DEVOPS
from doubles.bitbucket_cloud.double import BITBUCKET_CLOUD
from doubles.bitbucket_server.double import BITBUCKET_SERVER
from doubles.forge.double import Double
from doubles.gitea.double import FORGEJO, GITEA
from doubles.gitlab.double import GITLAB

DOUBLES: Mapping[str, Double] = {
    "azure-devops": AZURE_DEVOPS,
    "bitbucket-cloud": BITBUCKET_CLOUD,
    "bitbucket-server": BITBUCKET_SERVER,
    "forgejo": FORGEJO,
    "gitea": GITEA,
    "gitlab": GITLAB,
}
