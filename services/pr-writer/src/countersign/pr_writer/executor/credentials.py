"""Stored credentials, read by the executor for its one job.

From the API server, by name, with the right that a Role gives for that name alone; without a
cluster `<dir>/<namespace>/<secret>/<key>` stands for a Secret.
"""

from pathlib import Path

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.messages import FailureDetail
from countersign.dialects.pages import Span, commits_between
from countersign.kube.access.http_api import KubeSettings, cluster_api
from countersign.kube.access.stored_secrets import read_secret
from countersign.kube.refusals import ClusterRefusal
from countersign.pr_writer.jobs.model import ClusterAddress, Job, may_use_stored
from countersign.pr_writer.jobs.refusals import JobRefusal, JobRejected
from countersign.process.secret_files import Credential, credential_of, read_credential


async def stored_credential(job: Job) -> Credential:
    """Return what is in the Secret that the Pipeline names.

    Raises:
        Rejected: `repository_not_allowed` where the administrator's entry does not let this
            namespace use this repository, `credential_missing`.
        Retryable: `secret_unreadable`; the API server does not answer.

    """
    check_allowed(job)
    reference = job.request.secret
    if reference is None:
        raise Rejected(JobRefusal.CREDENTIAL_MISSING, "the Pipeline names no Secret with a token")
    if reference.namespace != job.request.promotion.pipeline.namespace:
        raise Rejected(
            JobRefusal.CREDENTIAL_MISSING, "a Pipeline may not use a Secret of another namespace"
        )
    namespace, name = reference.namespace, reference.name
    secrets = job.access.secrets
    where = f"Secret '{namespace}/{name}'"
    try:
        if secrets.cluster is not None:
            return await _from_cluster(secrets.cluster, namespace=namespace, name=name)
        return read_credential(Path(secrets.folder), namespace=namespace, name=name)
    except Rejected as error:
        is_forbidden = error.reason == ClusterRefusal.SECRET_FORBIDDEN
        raise JobRejected(
            JobRefusal.CREDENTIAL_MISSING,
            f"{where}: {error.message}",
            detail=FailureDetail.SECRET_FORBIDDEN if is_forbidden else FailureDetail.UNSPECIFIED,
        ) from None
    except Retryable as error:
        message = f"{where} could not be read: {error.message}"
        raise Retryable(JobRefusal.SECRET_UNREADABLE, message, after_s=error.after_s) from None


async def _from_cluster(cluster: ClusterAddress, *, namespace: str, name: str) -> Credential:
    settings = KubeSettings(url=cluster.url, account_dir=Path(cluster.account_dir))
    async with cluster_api(settings) as api:
        found = await read_secret(api, namespace=namespace, name=name)
    return credential_of(found.keys)


def readable_span(job: Job) -> Span | None:
    """Return the commits that the job's token may be asked about, beside its own repository.

    A delegated token is for one repository alone. A stored one may read what the forge list lets
    the Pipeline's namespace use: who names a source in a cluster must not learn of others.
    """
    forge, request = job.access.forge, job.request
    span = commits_between(forge, request) if may_use_stored(job.access.mode) else None
    if span is None:
        return None
    namespace = request.promotion.pipeline.namespace
    is_allowed = forge.allows(namespace=namespace, owner=span.owner, repository=span.repository)
    return span if is_allowed else None


def check_allowed(job: Job) -> None:
    """A stored credential goes only where the forge list lets the Pipeline's namespace write.

    Raises:
        Rejected: `repository_not_allowed`.

    """
    to = job.request.destination
    namespace = job.request.promotion.pipeline.namespace
    forge = job.access.forge
    if not forge.allows(namespace=namespace, owner=to.owner, repository=to.repository):
        raise Rejected(
            JobRefusal.REPOSITORY_NOT_ALLOWED,
            f"namespace {namespace!r} may not use repository '{to.owner}/{to.repository}' with a "
            f"stored credential; ask for it under `repositories` of forge {forge.name!r}",
        )
