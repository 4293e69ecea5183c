"""The right to promote: asked of the cluster; without one, everybody has it but who only looks."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from countersign.approval.model import NotPermitted
from countersign.contracts.bounds.dictionaries import BoundedDict
from countersign.contracts.consent.refusals import ConsentRefusal
from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.messages import Person
from countersign.contracts.promotion import Promotion
from countersign.contracts.subjects import encode_free
from countersign.kube.access.api import ClusterApi
from countersign.kube.access.reviews import (
    GROUP,
    PROMOTE,
    RESOURCE,
    Act,
    Subject,
    may_promote,
    promoting,
)
from countersign.kube.grants import Grant, Grantee, Rule, shell_line
from countersign.kube.refusals import ClusterRefusal
from countersign.telemetry.logs import get_logger
from countersign.telemetry.metrics import counter

log = get_logger()

# The gateway says so on its pages; that it asks for the others is not enough.
VIEWERS: Final = "viewers"
# A person clicks more than once a minute, and a right that is withdrawn is withdrawn at once.
ANSWERS_KEPT_S: Final = 3.0
ANSWERS_MAX: Final = 4_096
# Two questions; an executor waits ten seconds for what depends on them.
ASKING_S_MAX: Final = 4.0
NAME_CHARACTERS_MAX: Final = 512
GROUPS_MAX: Final = 1_000
GROUPS_SHOWN_MAX: Final = 5

_reviews = counter(
    "promote_reviews_total",
    "Questions whether a person may promote, by outcome.",
    ("outcome",),
    known=[("allowed",), ("denied",), ("unavailable",)],
)


class EverybodySignedIn:
    async def refuse(self, person: Person, promotion: Promotion, *, fresh: bool = False) -> None:
        del fresh
        if not person.id.strip() or VIEWERS in person.groups:
            raise NotPermitted(
                f"{person.id!r} may look, but not promote into "
                f"{promotion.ref.environment!r}: members of {VIEWERS!r} only look"
            )


@dataclass(frozen=True, kw_only=True)
class _Question:
    subject: Subject
    act: Act


class ByAccessReview:
    """Asks the API server with the name and the groups that the person signed in with."""

    def __init__(self, api: ClusterApi, *, monotonic_s: Callable[[], float]) -> None:
        self._api = api
        self._monotonic_s = monotonic_s
        self._answers: BoundedDict[_Question, tuple[bool, float]] = BoundedDict(ANSWERS_MAX)

    async def refuse(self, person: Person, promotion: Promotion, *, fresh: bool = False) -> None:
        ref = promotion.ref
        question = _Question(
            subject=subject_of(person),
            act=promoting(
                ref.environment, namespace=ref.pipeline.namespace, name=ref.pipeline.name
            ),
        )
        allowed = None if fresh else self._remembered(question)
        if allowed is None:
            allowed = await self._ask(question, environment=ref.environment)
            self._remember(question, allowed=allowed)
        if not allowed:
            raise NotPermitted(refusal(person, question.act, environment=ref.environment))

    async def _ask(self, question: _Question, *, environment: str) -> bool:
        act = question.act
        try:
            async with asyncio.timeout(ASKING_S_MAX):
                allowed = await may_promote(
                    self._api,
                    question.subject,
                    environment,
                    namespace=act.namespace,
                    name=act.name,
                )
        except (Retryable, Rejected, TimeoutError) as error:
            _reviews.labels(outcome="unavailable").inc()
            reason = ClusterRefusal.UNAVAILABLE if isinstance(error, TimeoutError) else error.reason
            log.warning("access_review.failed", reason=reason)
            # That we may not ask is nothing the person did, so it ends no consent of theirs.
            raise Retryable(ConsentRefusal.CLUSTER_UNAVAILABLE, unanswered(reason)) from None
        _reviews.labels(outcome="allowed" if allowed else "denied").inc()
        return allowed

    def _remembered(self, question: _Question) -> bool | None:
        allowed, until_s = self._answers.get(question, (False, float("-inf")))
        return allowed if self._monotonic_s() < until_s else None

    def _remember(self, question: _Question, *, allowed: bool) -> None:
        self._answers[question] = allowed, self._monotonic_s() + ANSWERS_KEPT_S


def subject_of(person: Person) -> Subject:
    """Return the person as the cluster knows them.

    Raises:
        NotPermitted: a name that is empty, reserved or out of all proportion is nobody's.

    """
    names = (person.id, *person.groups)
    sane = len(names) <= GROUPS_MAX and all(
        len(name) <= NAME_CHARACTERS_MAX and name.isprintable() for name in names
    )
    try:
        if sane:
            return Subject(user=person.id, groups=person.groups)
    except Rejected:
        pass
    raise NotPermitted(
        "this sign-in has an empty, reserved or unusable name or group, which has no rights; "
        "ask the administrator to look at the claims that the identity provider sends"
    )


def refusal(person: Person, act: Act, *, environment: str) -> str:
    groups = ", ".join(person.groups[:GROUPS_SHOWN_MAX]) or "no groups"
    more = ", …" if len(person.groups) > GROUPS_SHOWN_MAX else ""
    return (
        f"{person.id!r} ({groups}{more}) may not promote {act.namespace}/{act.name} into "
        f"{environment!r}; who manages rights in namespace {act.namespace!r} can allow it: "
        f"`{shell_line(_grant(person, act))}`"
    )


def _grant(person: Person, act: Act) -> Grant:
    """The Role that is missing, and its binding to the person."""
    # With the person, or the commands would fail for the second one.
    name = f"{PROMOTE}-{act.name}-{act.subresource}-{encode_free(person.id)}"
    rule = Rule(
        verbs=(act.verb,),
        resource=f"{RESOURCE}/{act.subresource}",
        group=GROUP,
        names=(act.name,),
    )
    return Grant(role=name, rule=rule, subjects=(Grantee(name=person.id),), namespace=act.namespace)


def unanswered(reason: StrEnum) -> str:
    if reason is ClusterRefusal.FORBIDDEN:
        return (
            "nobody can promote now: the service account of Countersign's approval service may "
            "not ask who may; the administrator lets it create "
            "subjectaccessreviews.authorization.k8s.io, as k8s/base does"
        )
    return "the cluster cannot be asked now who may promote; nothing was changed, try again soon"
