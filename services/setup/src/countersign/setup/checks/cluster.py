"""The cluster: the kinds that are watched, and the rights of each service's account."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from countersign.contracts.errors import Rejected, Retryable
from countersign.kube.access.api import ClusterApi
from countersign.kube.access.reviews import REVIEWS_PATH
from countersign.kube.objects import Manifest, mapping
from countersign.kube.refusals import ClusterRefusal
from countersign.setup.checks.model import Fault, Finding, Subject


@dataclass(frozen=True, kw_only=True)
class Right:
    """A right that an account cannot do without."""

    service: str
    verb: str
    group: str
    resource: str
    subresource: str = ""

    def __str__(self) -> str:
        what = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        return f"countersign-{self.service}: {self.verb} {what}"


_PIPELINES: Final = "pipelines.weave.works"
_HELM: Final = "helm.toolkit.fluxcd.io"
_KUSTOMIZE: Final = "kustomize.toolkit.fluxcd.io"
_REVIEWS: Final = "authorization.k8s.io"
KINDS: Final = (f"{_PIPELINES}/v1alpha1", f"{_HELM}/v2", f"{_KUSTOMIZE}/v1")
RIGHTS: Final = (
    Right(service="watcher", verb="list", group=_PIPELINES, resource="pipelines"),
    Right(service="watcher", verb="watch", group=_PIPELINES, resource="pipelines"),
    Right(
        service="watcher",
        verb="patch",
        group=_PIPELINES,
        resource="pipelines",
        subresource="status",
    ),
    Right(service="watcher", verb="watch", group=_HELM, resource="helmreleases"),
    Right(service="watcher", verb="watch", group=_KUSTOMIZE, resource="kustomizations"),
    Right(service="watcher", verb="create", group="events.k8s.io", resource="events"),
    Right(service="approval", verb="create", group=_REVIEWS, resource="subjectaccessreviews"),
    Right(service="gateway", verb="create", group=_REVIEWS, resource="subjectaccessreviews"),
)


async def check_cluster(api: ClusterApi, *, namespace: str) -> AsyncIterator[Finding]:
    """Ask for kinds and rights; an API server that does not answer is one finding."""
    try:
        for kind in KINDS:
            yield await _kind(api, kind)
        for right in RIGHTS:
            yield await _right(api, right, namespace=namespace)
    except Retryable as error:
        yield Finding(
            subject=Subject.CLUSTER,
            name="API server",
            fault=Fault.UNREACHABLE,
            detail=error.message,
        )
    except Rejected as error:
        yield Finding(
            subject=Subject.CLUSTER,
            name="API server",
            fault=Fault.RIGHT_MISSING,
            detail=error.message,
        )


async def _kind(api: ClusterApi, kind: str) -> Finding:
    try:
        await api.call("GET", f"/apis/{kind}")
    except Rejected as error:
        if error.reason != ClusterRefusal.NOT_FOUND:
            raise
        return Finding(subject=Subject.CLUSTER, name=kind, fault=Fault.KIND_MISSING)
    return Finding(subject=Subject.CLUSTER, name=kind, detail="is served")


async def _right(api: ClusterApi, right: Right, *, namespace: str) -> Finding:
    answer = await api.call("POST", REVIEWS_PATH, body=review(right, namespace=namespace))
    allowed = mapping(answer, "status").get("allowed") is True
    return Finding(
        subject=Subject.RIGHT, name=str(right), fault=None if allowed else Fault.RIGHT_MISSING
    )


def review(right: Right, *, namespace: str) -> Manifest:
    """Write the question whether an account has a right."""
    attributes = {
        "verb": right.verb,
        "group": right.group,
        "resource": right.resource,
        "subresource": right.subresource,
    }
    return {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": f"system:serviceaccount:{namespace}:countersign-{right.service}",
            "groups": ["system:serviceaccounts", f"system:serviceaccounts:{namespace}"],
            "resourceAttributes": attributes,
        },
    }
