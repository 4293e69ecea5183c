"""Stored credentials, read by the executor for its one job.

`<dir>/<namespace>/<secret>/<key>` stands for a Kubernetes Secret.
"""

from pathlib import Path

from countersign.contracts.errors import Rejected
from countersign.contracts.secret import Secret
from countersign.pr_writer.model import Job
from countersign.telemetry.secret_files import read_token


def stored_token(job: Job) -> Secret:
    """The token of the Secret that the Pipeline names.

    Raises:
        Rejected: `repository_not_allowed` where the administrator's entry does not let this
            namespace use this repository, `credential_missing`.

    """
    check_allowed(job)
    reference = job.request.secret
    if reference is None:
        raise Rejected("credential_missing", "the Pipeline names no Secret with a token")
    if reference.namespace != job.request.promotion.pipeline.namespace:
        raise Rejected("credential_missing", "a Pipeline may not use a Secret of another namespace")
    namespace, name = reference.namespace, reference.name
    try:
        return read_token(Path(job.secrets_dir), namespace=namespace, name=name)
    except Rejected as error:
        where = f"Secret '{namespace}/{name}'"
        raise Rejected(error.reason, f"{where}: {error.message}") from None


def check_allowed(job: Job) -> None:
    """A stored credential goes only where the forge list lets the Pipeline's namespace write.

    Raises:
        Rejected: `repository_not_allowed`.

    """
    to = job.request.destination
    namespace = job.request.promotion.pipeline.namespace
    if not job.forge.allows(namespace=namespace, owner=to.owner, repository=to.repository):
        raise Rejected(
            "repository_not_allowed",
            f"namespace {namespace!r} may not use repository '{to.owner}/{to.repository}' with a "
            f"stored credential; ask for it under `repositories` of forge {job.forge.name!r}",
        )
