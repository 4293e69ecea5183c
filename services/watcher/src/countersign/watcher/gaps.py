"""Gaps in what is known of objects, each with what somebody can do about it. Pure."""

from dataclasses import dataclass
from typing import Final

from countersign.contracts.messages import (
    EnvironmentCondition,
    Finding,
    FindingLevel,
    ObjectRef,
)
from countersign.kube.grants import (
    ACCOUNT_PREFIX,
    NAMESPACE,
    Grant,
    Grantee,
    Rule,
    shell_line,
)
from countersign.kube.objects import ObjectKey
from countersign.kube.pipelines.findings import FindingCode

_ACCOUNT: Final = f"{ACCOUNT_PREFIX}watcher"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Objects of a cluster that are not known: all, of one kind, of that kind in one namespace.

    Args:
        code: of the finding that a person sees; none while there is nothing to be done.
        message: what is wrong, and what to do.
        subject: the one object that it lies with, where it does.
        condition: that what is in the gap has.

    """

    cluster: str = ""
    group: str = ""
    kind: str = ""
    namespace: str = ""
    code: FindingCode | None = None
    message: str
    subject: ObjectRef | None = None
    condition: EnvironmentCondition = EnvironmentCondition.UNKNOWN

    def covers(self, key: ObjectKey) -> bool:
        return (
            self.cluster == key.cluster
            and (not self.kind or (self.group, self.kind) == (key.group, key.kind))
            and self.namespace in {"", key.namespace}
        )

    @property
    def finding(self) -> Finding | None:
        if self.code is None:
            return None
        return Finding(
            level=FindingLevel.WARNING, code=self.code, message=self.message, subject=self.subject
        )


def secret_subject(namespace: str, name: str) -> ObjectRef:
    return ObjectRef(api_version="v1", kind="Secret", namespace=namespace, name=name)


def unread(*, cluster: str, group: str, kind: str, namespace: str = "") -> Gap:
    message = f"{kind} objects{_of(cluster)} are not read yet"
    return Gap(cluster=cluster, group=group, kind=kind, namespace=namespace, message=message)


def not_installed(*, cluster: str, group: str, kind: str) -> Gap:
    """An object of a kind that does not exist does not exist."""
    return Gap(
        cluster=cluster,
        group=group,
        kind=kind,
        code=FindingCode.KIND_NOT_INSTALLED,
        message=(
            f"the kind {kind} ({group or 'core'}) is not installed{_in(cluster)}; install its "
            "CustomResourceDefinition, which is noticed within seconds"
        ),
        condition=EnvironmentCondition.MISSING,
    )


def forbidden(*, cluster: str, group: str, kind: str, plural: str, namespace: str) -> Gap:
    resource = f"{plural}.{group}" if group else plural
    line = shell_line(
        Grant(
            role=f"{_ACCOUNT}-{plural}",
            rule=Rule(verbs=("list", "watch"), resource=plural, group=group),
            subjects=(Grantee(name=_ACCOUNT, namespace=NAMESPACE),),
            namespace=namespace,
        )
    )
    return Gap(
        cluster=cluster,
        group=group,
        kind=kind,
        namespace=namespace,
        code=FindingCode.KIND_FORBIDDEN,
        message=(
            f"the watcher may not read {resource} in "
            f"{f'namespace {namespace}' if namespace else 'any namespace'}{_of(cluster)}; "
            f"this allows it{_there(cluster)}: `{line}`"
        ),
    )


def unreachable(*, cluster: str, group: str, kind: str, namespace: str, why: str) -> Gap:
    name = f"cluster {cluster}" if cluster else "the API server"
    return Gap(
        cluster=cluster,
        group=group,
        kind=kind,
        namespace=namespace,
        code=FindingCode.CLUSTER_UNREACHABLE,
        message=f"{name} does not answer as it should: {why}; what was seen before is not trusted",
    )


def _there(cluster: str) -> str:
    """The account is one of this cluster."""
    if not cluster:
        return ""
    return " there, with whoever its kubeconfig names in place of the service account"


def _in(cluster: str) -> str:
    return f" in cluster {cluster}" if cluster else ""


def _of(cluster: str) -> str:
    return f" of cluster {cluster}" if cluster else ""
