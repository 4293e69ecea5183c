"""Access reviews: the API server says whether a person may act on Pipelines.

The right to promote is a verb of our own on a subresource named like the environment, so that a
Role may allow staging and not prod. RBAC reads `pipelines/*` as a name and not as a pattern; it is
asked for by that name, so that such a Role means what it says.
Source: https://kubernetes.io/docs/reference/access-authn-authz/rbac/#referring-to-resources
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from countersign.contracts.errors import Rejected
from countersign.contracts.subjects import encode_free
from countersign.kube.access.api import ClusterApi
from countersign.kube.objects import Manifest, mapping
from countersign.kube.refusals import ClusterRefusal

GROUP: Final = "pipelines.weave.works"
RESOURCE: Final = "pipelines"
PROMOTE: Final = "promote"
CREDENTIALS: Final = "credentials"
EVERY_ENVIRONMENT: Final = "*"
REVIEWS_PATH: Final = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
# Names that only the API server itself gives.
RESERVED: Final = "system:"


@dataclass(frozen=True, kw_only=True)
class Subject:
    """The person whom an access review is about, as RoleBindings name them.

    Raises:
        Rejected: `bad_identity`; an empty name would be asked about as nobody in particular, a
            reserved one as a part of the cluster.

    """

    user: str
    groups: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in (self.user, *self.groups):
            if not name.strip() or name.strip() != name or name.startswith(RESERVED):
                raise Rejected(
                    ClusterRefusal.BAD_IDENTITY, "an empty or reserved name has no rights"
                )


@dataclass(frozen=True, kw_only=True)
class Act:
    """An act on Pipelines; an empty namespace means all of them, an empty name any."""

    verb: str
    subresource: str = ""
    namespace: str = ""
    name: str = ""

    @property
    def resource(self) -> str:
        """Return the resource as the rule of a Role names it."""
        return f"{RESOURCE}/{self.subresource}" if self.subresource else RESOURCE


def promoting(environment: str, *, namespace: str, name: str = "") -> Act:
    """Promoting into an environment; its name is written as in the subjects of events."""
    return Act(verb=PROMOTE, subresource=encode_free(environment), namespace=namespace, name=name)


def promoting_everywhere(*, namespace: str, name: str = "") -> Act:
    return Act(verb=PROMOTE, subresource=EVERY_ENVIRONMENT, namespace=namespace, name=name)


async def may(api: ClusterApi, subject: Subject, act: Act) -> bool:
    """Ask whether the person may do it.

    Raises:
        Retryable: nobody answers; nothing is allowed then.
        Rejected: `forbidden`; this service may not ask.

    """
    attributes: Manifest = {
        "verb": act.verb,
        "group": GROUP,
        "resource": RESOURCE,
        "subresource": act.subresource,
        "namespace": act.namespace,
        "name": act.name,
    }
    body: Manifest = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": subject.user,
            "groups": list(subject.groups),
            "resourceAttributes": {k: v for k, v in attributes.items() if v},
        },
    }
    return _is_yes(await api.call("POST", REVIEWS_PATH, body=body))


def _is_yes(answer: Manifest) -> bool:
    status = mapping(mapping(answer).get("status"))
    return status.get("allowed") is True and status.get("denied") is not True


async def group_may(api: ClusterApi, group: str, act: Mapping[str, str]) -> bool:
    """Ask whether members of a group may do it by being members; errors as of `may`."""
    body: Manifest = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {"groups": [group], "resourceAttributes": {k: v for k, v in act.items() if v}},
    }
    return _is_yes(await api.call("POST", REVIEWS_PATH, body=body))


async def may_promote(
    api: ClusterApi, subject: Subject, environment: str, *, namespace: str, name: str
) -> bool:
    """Tell whether the person may promote the pipeline into the environment; errors as of `may`."""
    for act in (
        promoting(environment, namespace=namespace, name=name),
        promoting_everywhere(namespace=namespace, name=name),
    ):
        if await may(api, subject, act):
            return True
    return False
