"""The rights to see and promote, as the cluster's administrators grant them with RBAC.

Each question is a SubjectAccessReview with the person's name and groups. The widest is asked
first, so that an administrator costs three of them, and only who sees no whole namespace costs one
for each pipeline there, of a bounded number.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from math import inf
from typing import Final, NamedTuple

from countersign.contracts.bounds.dictionaries import BoundedDict
from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.messages import Person
from countersign.gateway.access.denials import missing_right
from countersign.gateway.interfaces import Missing, Right, Scope
from countersign.gateway.model import GateKey, PipelineKey
from countersign.gateway.refusals import Delay
from countersign.kube.access.api import ClusterApi
from countersign.kube.access.reviews import (
    CREDENTIALS,
    Act,
    Subject,
    may,
    promoting,
    promoting_everywhere,
)
from countersign.telemetry.logs import get_logger
from countersign.telemetry.metrics import counter

log = get_logger()

# A yes is used so long before it is asked for anew, and believed so long when nobody answers.
FRESH_S: Final = 5.0
HELD_S: Final = 40.0
LEARN_TIMEOUT_S: Final = 8.0
AT_ONCE: Final = 8  # questions; as many connections are kept
PEOPLE_MAX: Final = 2_000
# A thousand namespaces with five environments each need nine thousand.
DECISIONS_PER_PERSON_MAX: Final = 16_384
# More gates that wait at once than somebody reads; the page of a gate asks for itself.
NAMED_MAX: Final = 512
# Pipelines that are asked about one by one, of namespaces that somebody may not see as a whole; the
# page of a pipeline asks for itself.
SEEN_BY_NAME_MAX: Final = 256
_REVIEWS = counter(
    "access_reviews_total",
    "Questions to the API server.",
    ["outcome"],
    known=[("allowed",), ("denied",), ("failed",)],
)


class _Decision(NamedTuple):
    allowed: bool
    at_s: float


_Ask = Callable[[Iterable[Act]], Awaitable[None]]


@dataclass(eq=False)
class _Known:
    """The decisions known about one person."""

    subject: Subject
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    decisions: OrderedDict[Act, _Decision] = field(default_factory=OrderedDict)
    # What is allowed, as long as all of it is believed.
    audience: str = ""
    audience_until_s: float = -inf


def _seeing(namespace: str = "") -> Act:
    return Act(verb="get", namespace=namespace)


def _seeing_credentials(namespace: str = "") -> Act:
    return Act(verb="get", subresource=CREDENTIALS, namespace=namespace)


class ClusterAccess:
    """Owns the decisions of the last seconds.

    Args:
        api: who decides.
        elapsed: seconds of a clock that never goes back.

    """

    def __init__(self, api: ClusterApi, *, elapsed: Callable[[], float]) -> None:
        self._api = api
        self._elapsed = elapsed
        self._people = BoundedDict[tuple[str, tuple[str, ...]], _Known](PEOPLE_MAX)
        self._is_told = False

    async def learn(self, person: Person, scope: Callable[[], Scope]) -> None:
        known = self._of(person)
        async with known.lock:
            try:
                async with asyncio.timeout(LEARN_TIMEOUT_S):
                    await self._learn(known, scope())
            except TimeoutError:
                raise self._unknown("the API server answers too slowly") from None
            except (Rejected, Retryable) as error:
                raise self._unknown(error.message) from None
        self._is_told = False

    async def _learn(self, known: _Known, scope: Scope) -> None:
        def ask(acts: Iterable[Act]) -> Awaitable[None]:
            return self._ask(known, acts, denial_s=scope.denial_s)

        wide = (_seeing(), _seeing_credentials(), promoting_everywhere(namespace=""))
        await ask(wide)
        for act in wide:
            if not self._allows(known, act):
                await ask(_narrowed(act, namespace=n) for n in sorted(scope.namespaces))
        seen = await self._seen(known, scope, ask)
        divided = {n for n in {p.namespace for p in seen} if not self._promotes_all(known, n)}
        in_environments = (
            promoting(e, namespace=n) for n, e in sorted(scope.environments) if n in divided
        )
        await ask(in_environments)
        named = [
            g
            for g in scope.asking
            if g.pipeline in seen
            and g.pipeline.namespace in divided
            and not self._promotes(known, g)
        ][:NAMED_MAX]
        await ask(map(_promoting_this, named))
        rest = dict.fromkeys(g.pipeline for g in named if not self._promotes(known, g))
        await ask(promoting_everywhere(namespace=p.namespace, name=p.name) for p in rest)

    async def _seen(self, known: _Known, scope: Scope, ask: _Ask) -> set[PipelineKey]:
        whole = {n for n in scope.namespaces if self._sees_all(known, n)}
        by_name = [p for p in scope.pipelines if p.namespace not in whole][:SEEN_BY_NAME_MAX]
        await ask(map(_seeing_this, by_name))
        seen = {p for p in scope.pipelines if p.namespace in whole}
        return seen.union(p for p in by_name if self._sees(known, p))

    def _promotes_all(self, known: _Known, namespace: str) -> bool:
        every = (promoting_everywhere(namespace=n) for n in ("", namespace))
        return any(self._allows(known, act) for act in every)

    def _sees_all(self, known: _Known, namespace: str) -> bool:
        return self._allows(known, _seeing()) or self._allows(known, _seeing(namespace))

    def _sees(self, known: _Known, pipeline: PipelineKey) -> bool:
        named = _seeing_this(pipeline)
        return self._sees_all(known, pipeline.namespace) or self._allows(known, named)

    def _unknown(self, message: str) -> Retryable:
        """Told once, however many pages are asked for while nobody answers."""
        if not self._is_told:
            log.warning("access.unknown", reason=message)
        self._is_told = True
        return Retryable(Delay.ACCESS_UNKNOWN, message)

    def may_see(self, person: Person, pipeline: PipelineKey) -> bool:
        return self._sees(self._of(person), pipeline)

    def may_see_credentials(self, person: Person, *, namespace: str) -> bool:
        known = self._of(person)
        acts = (_seeing_credentials(), _seeing_credentials(namespace))
        return any(self._allows(known, act) for act in acts)

    def may_promote(self, person: Person, gate: GateKey) -> bool:
        return self._promotes(self._of(person), gate)

    def _promotes(self, known: _Known, gate: GateKey) -> bool:
        namespace, name = gate.pipeline
        acts = (
            promoting_everywhere(namespace=""),
            promoting_everywhere(namespace=namespace),
            promoting(gate.environment, namespace=namespace),
            _promoting_this(gate),
            promoting_everywhere(namespace=namespace, name=name),
        )
        return any(self._allows(known, act) for act in acts)

    def audience(self, person: Person) -> str:
        known = self._of(person)
        # Each open page asks, and of thousands of decisions few change.
        if self._elapsed() > known.audience_until_s:
            allowed = [act for act in known.decisions if self._allows(known, act)]
            known.audience = str(hash(frozenset(allowed)))
            oldest_s = min((known.decisions[act].at_s for act in allowed), default=inf)
            known.audience_until_s = oldest_s + HELD_S
        return known.audience

    def missing(self, person: Person, right: Right, gate: GateKey) -> Missing:
        return missing_right(person, right, gate)

    def _allows(self, known: _Known, act: Act) -> bool:
        decision = known.decisions.get(act)
        if decision is None or self._elapsed() - decision.at_s > HELD_S:
            return False
        return decision.allowed

    def _of(self, person: Person) -> _Known:
        key = (person.id, tuple(sorted(person.groups)))
        known = self._people.get(key)
        if known is None:
            known = _Known(Subject(user=person.id, groups=key[1]))
        self._people[key] = known
        return known

    def _is_fresh(self, known: _Known, act: Act, *, denial_s: float) -> bool:
        decision = known.decisions.get(act)
        if decision is None:
            return False
        return self._elapsed() - decision.at_s <= (FRESH_S if decision.allowed else denial_s)

    async def _ask(self, known: _Known, acts: Iterable[Act], *, denial_s: float) -> None:
        """Those that were not answered lately, some at a time; the first failure is raised."""
        stale = (a for a in acts if not self._is_fresh(known, a, denial_s=denial_s))
        waiting, failures = deque(stale), list[Retryable | Rejected]()

        async def work() -> None:
            while waiting and not failures:
                act = waiting.popleft()
                try:
                    allowed = await may(self._api, known.subject, act)
                except (Retryable, Rejected) as error:
                    failures.append(error)
                    _REVIEWS.labels(outcome="failed").inc()
                    return
                _REVIEWS.labels(outcome="allowed" if allowed else "denied").inc()
                if allowed != self._allows(known, act):
                    known.audience_until_s = -inf
                known.decisions[act] = _Decision(allowed, self._elapsed())
                known.decisions.move_to_end(act)

        async with asyncio.TaskGroup() as tasks:
            for _ in range(min(AT_ONCE, len(waiting))):
                tasks.create_task(work())
        if _forget(known.decisions, keep=DECISIONS_PER_PERSON_MAX):
            known.audience_until_s = -inf
        if failures:
            raise failures[0]


def _forget(decisions: OrderedDict[Act, _Decision], *, keep: int) -> bool:
    """Forget the oldest denials first, as what is not known is denied anyhow; whether any was."""
    excess = len(decisions) - keep
    if excess > 0:
        for act in sorted(decisions, key=lambda a: decisions[a].allowed)[:excess]:
            del decisions[act]
    return excess > 0


def _narrowed(act: Act, *, namespace: str) -> Act:
    return Act(verb=act.verb, subresource=act.subresource, namespace=namespace)


def _seeing_this(pipeline: PipelineKey) -> Act:
    return Act(verb="get", namespace=pipeline.namespace, name=pipeline.name)


def _promoting_this(gate: GateKey) -> Act:
    namespace, name = gate.pipeline
    return promoting(gate.environment, namespace=namespace, name=name)
