"""The cluster: the kinds that are watched, and the rights of each service's account."""

from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

from countersign.checks.model import Fault, Finding, Subject
from countersign.contracts.errors import Rejected, Retryable
from countersign.kube.access.api import ClusterApi
from countersign.kube.access.http_api import KubeSettings, cluster_api
from countersign.kube.access.reviews import REVIEWS_PATH
from countersign.kube.objects import Manifest, mapping
from countersign.kube.refusals import ClusterRefusal


@dataclass(frozen=True, kw_only=True)
class Right:
    """A right that an account cannot do without."""

    service: str
    verb: str
    group: str
    resource: str
    subresource: str = ""
    # Empty: everywhere.
    namespace: str = ""

    def __str__(self) -> str:
        what = f"{self.resource}/{self.subresource}" if self.subresource else self.resource
        where = f" in {self.namespace}" if self.namespace else ""
        return f"countersign-{self.service}: {self.verb} {what}{where}"

    @property
    def attributes(self) -> Manifest:
        """The right as an access review has it."""
        return {
            "verb": self.verb,
            "group": self.group,
            "resource": self.resource,
            "subresource": self.subresource,
            "namespace": self.namespace,
        }


@dataclass(frozen=True, kw_only=True)
class Review:
    """A question for a right, as an API server is asked it."""

    path: str
    body: Manifest


_PIPELINES: Final = "pipelines.weave.works"
_HELM: Final = "helm.toolkit.fluxcd.io"
_KUSTOMIZE: Final = "kustomize.toolkit.fluxcd.io"
_REVIEWS: Final = "authorization.k8s.io"
_API: Final = f"{_REVIEWS}/v1"
PIPELINES_KIND: Final = f"{_PIPELINES}/v1alpha1"
KINDS: Final = (PIPELINES_KIND, f"{_HELM}/v2", f"{_KUSTOMIZE}/v1")
# Who reads kinds. Of Flux's it reads those that Pipelines lead to, so none of them must be there.
_OWN_KINDS: Final = {"watcher": (PIPELINES_KIND,)}
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


def rights_in(namespaces: Iterable[str]) -> Iterator[Right]:
    """Yield the rights of all accounts; the watcher's in these namespaces, where there are any."""
    confined = sorted(namespaces)
    for right in RIGHTS:
        where = confined if right.service == "watcher" else []
        yield from (replace(right, namespace=name) for name in where or [""])


async def check_own_rights(
    settings: KubeSettings, *, service: str, namespaces: Iterable[str] = ()
) -> AsyncIterator[Finding]:
    """Ask, as a service that starts, for what it cannot do without, where there is a cluster.

    Args:
        settings: the cluster.
        service: whose rights.
        namespaces: those that the watcher is confined to; none means it is not.

    """
    if not settings.in_use:
        return
    rights = [right for right in rights_in(namespaces) if right.service == service]
    async with cluster_api(settings) as api:
        async for finding in check_cluster(
            api, ask=of_ourselves, kinds=_OWN_KINDS.get(service, ()), rights=rights
        ):
            yield finding


async def check_cluster(
    api: ClusterApi,
    *,
    ask: Callable[[Right], Review],
    kinds: Iterable[str] = KINDS,
    rights: Iterable[Right] = RIGHTS,
) -> AsyncIterator[Finding]:
    """Ask for kinds and rights; an API server that does not answer is one finding."""
    try:
        for kind in kinds:
            yield await _kind(api, kind)
        for right in rights:
            yield await _right(api, right, ask=ask)
    except (Retryable, Rejected) as error:
        away = isinstance(error, Retryable)
        yield Finding(
            subject=Subject.CLUSTER,
            name="API server",
            fault=Fault.UNREACHABLE if away else Fault.RIGHT_MISSING,
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


async def _right(api: ClusterApi, right: Right, *, ask: Callable[[Right], Review]) -> Finding:
    review = ask(right)
    answer = await api.call("POST", review.path, body=review.body)
    allowed = mapping(answer, "status").get("allowed") is True
    return Finding(
        subject=Subject.RIGHT, name=str(right), fault=None if allowed else Fault.RIGHT_MISSING
    )


def of_accounts(namespace: str) -> Callable[[Right], Review]:
    """Ask about the accounts of all services, which are in that namespace."""

    def ask(right: Right) -> Review:
        spec = {
            "user": f"system:serviceaccount:{namespace}:countersign-{right.service}",
            "groups": ["system:serviceaccounts", f"system:serviceaccounts:{namespace}"],
            "resourceAttributes": right.attributes,
        }
        body = {"apiVersion": _API, "kind": "SubjectAccessReview", "spec": spec}
        return Review(path=REVIEWS_PATH, body=body)

    return ask


def of_ourselves(right: Right) -> Review:
    """Ask about whoever asks, which everybody may who is known to the cluster."""
    spec = {"resourceAttributes": right.attributes}
    body = {"apiVersion": _API, "kind": "SelfSubjectAccessReview", "spec": spec}
    return Review(path=f"/apis/{_API}/selfsubjectaccessreviews", body=body)
