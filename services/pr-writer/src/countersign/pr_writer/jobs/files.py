"""Tells files that are searched for markers, and paths that may be written. Pure."""

from typing import Final

from countersign.contracts.errors import Rejected
from countersign.pr_writer.jobs.refusals import JobRefusal

# What is parsed of it has bounds of its own: nodes, depth, time and memory.
FILE_BYTES_MAX: Final = 8 * 1024 * 1024
# As large as manifests that people write; many of them are read at once.
SMALL_BYTES_MAX: Final = 256 * 1024
# Folders and files whose YAML a forge, or what is commonly connected to one, runs as code or takes
# for orders. Exact names: a release may be called `action-server.yaml`. Each stands in its vendor's
# own reference.
_FOLDERS: Final = frozenset(
    {
        # https://docs.github.com/en/actions, and what its robots are told
        ".github",
        # https://docs.gitea.com/usage/actions and https://forgejo.org/docs/latest/user/actions
        ".gitea",
        ".forgejo",
        # https://docs.gitlab.com/ci/yaml and https://docs.gitlab.com/user/clusters/agent
        ".gitlab",
        ".gitlab-ci",
        # https://learn.microsoft.com/en-us/azure/devops/pipelines
        ".azuredevops",
        ".azure-pipelines",
        ".pipelines",
        ".buildkite",  # https://buildkite.com/docs/pipelines
        ".builds",  # https://man.sr.ht/builds.sr.ht
        ".circleci",  # https://circleci.com/docs/configuration-reference
        ".codefresh",  # https://codefresh.io/docs
        ".harness",  # https://developer.harness.io/docs
        ".mergify",  # https://docs.mergify.com/configuration/file-format
        ".prow",  # https://docs.prow.k8s.io/docs/inrepoconfig
        ".rwx",  # https://www.rwx.com/docs
        ".semaphore",  # https://docs.semaphoreci.com
        ".tekton",  # https://pipelinesascode.com/docs
        ".woodpecker",  # https://woodpecker-ci.org/docs
        ".zuul.d",  # https://zuul-ci.org/docs
        "zuul.d",
    }
)
_NAMES: Final = frozenset(
    {
        ".appveyor",  # https://www.appveyor.com/docs/appveyor-yml
        "appveyor",
        ".build",  # https://man.sr.ht/builds.sr.ht
        ".ci-operator",  # https://docs.ci.openshift.org
        ".cirrus",  # https://cirrus-ci.org/guide/writing-tasks
        ".drone",  # https://docs.drone.io
        ".gitlab-ci",  # https://docs.gitlab.com/ci/yaml
        ".gitpod",  # https://www.gitpod.io/docs
        ".lefthook",  # https://lefthook.dev/configuration
        "lefthook",
        ".mergify",  # https://docs.mergify.com/configuration/file-format
        ".onedev-buildspec",  # https://docs.onedev.io
        ".packit",  # https://packit.dev/docs/configuration
        ".pre-commit-config",  # https://pre-commit.com
        ".pre-commit-hooks",
        ".prow",  # https://docs.prow.k8s.io/docs/inrepoconfig
        ".readthedocs",  # https://docs.readthedocs.com/platform/stable/config-file
        ".travis",  # https://docs.travis-ci.com
        ".vela",  # https://go-vela.github.io/docs
        ".woodpecker",  # https://woodpecker-ci.org/docs
        ".zuul",  # https://zuul-ci.org/docs
        "zuul",
        "action",  # https://docs.github.com/en/actions/reference/workflows-and-actions/metadata-syntax
        "atlantis",  # https://www.runatlantis.io/docs/repo-level-atlantis-yaml
        "azure-pipelines",  # https://learn.microsoft.com/en-us/azure/devops/pipelines
        "bitbucket-pipelines",  # https://support.atlassian.com/bitbucket-cloud/docs
        "bitrise",  # https://docs.bitrise.io
        "buildspec",  # https://docs.aws.amazon.com/codebuild/latest/userguide/build-spec-ref.html
        "cloudbuild",  # https://cloud.google.com/build/docs/build-config-file-schema
        "codefresh",  # https://codefresh.io/docs
        "codemagic",  # https://docs.codemagic.io/yaml-basic-configuration
        "heroku",  # https://devcenter.heroku.com/articles/build-docker-images-heroku-yml
        "jenkins-x",  # https://jenkins-x.io/v3
        "jenkinsfile",  # https://plugins.jenkins.io/pipeline-as-yaml
        "screwdriver",  # https://docs.screwdriver.cd/user-guide/configuration
        "wercker",  # https://devcenter.wercker.com
    }
)
# With anything between: `.gitlab-ci.deploy.yml` is included by the one that runs.
_BEGINNINGS: Final = (".gitlab-ci.", ".azure-pipelines", "azure-pipelines.")
_ENDINGS: Final = (".yaml", ".yml")


def is_candidate(path: str) -> bool:
    """Return whether a path is of the kind that may hold markers."""
    return path.endswith(_ENDINGS)


def is_misspelt(path: str) -> bool:
    """Tell a file that people take for YAML, and that neither Flux nor anybody here reads."""
    return not is_candidate(path) and path.lower().endswith(_ENDINGS)


def runs_code(path: str) -> bool:
    """Tell a path whose content is run by the forge or by what is connected to it."""
    *folders, name = path.lower().split("/")
    stem = name.rpartition(".")[0]
    return not _FOLDERS.isdisjoint(folders) or stem in _NAMES or name.startswith(_BEGINNINGS)


def check_path(path: str, *, root: str) -> None:
    """Refuse what must not be written, whoever says that a marker is there.

    Raises:
        Rejected: `not_promotable`.

    """
    parts = path.split("/")
    odd = any(p in {"", ".", ".."} or p.lower() == ".git" for p in parts)
    if odd or not path.isprintable() or "\\" in path or not is_candidate(path):
        raise Rejected(JobRefusal.NOT_PROMOTABLE, f"{path!r} is not a path that can be written")
    if root and not path.startswith(f"{root}/"):
        raise Rejected(JobRefusal.NOT_PROMOTABLE, f"{path!r} is not below {root!r}")
    if runs_code(path):
        raise Rejected(
            JobRefusal.NOT_PROMOTABLE,
            f"{path!r} runs code at the forge and is never written; move the marker elsewhere",
        )
