"""What keeps senders of promotion hints from signing, by the Secrets that hold their keys. Pure.

No caller of the hook can see any of it.
"""

from collections.abc import Iterator
from typing import Final

from countersign.contracts.messages import Finding, PipelineObserved
from countersign.kube.objects import ObjectKey
from countersign.kube.pipelines.pipeline import Pipeline
from countersign.watcher.model import Problem

NO_KEY: Final = "no_hmac_key"

Place = tuple[str, str]


class HookProblems:
    """As this watcher found them; of a Secret that it did not look at yet, what is told already.

    So a watcher that starts takes nothing back, and another that sees something else is believed
    only after another look.
    """

    def __init__(self) -> None:
        self._found: dict[Place, Problem | None] = {}
        self._doubted: set[ObjectKey] = set()

    def tell(self, place: Place, *, code: str = "", message: str = "") -> bool:
        """Without a code it is as it should be; returns whether that is news."""
        problem = None
        if code:
            problem = Problem(path="", code=code, message=_beginning(place) + message)
        is_news = place not in self._found or self._found[place] != problem
        self._found[place] = problem
        return is_news

    def keep(self, places: set[Place]) -> None:
        """Forget all others."""
        for place in self._found.keys() - places:
            del self._found[place]

    def is_well(self, place: Place) -> bool:
        return place in self._found and self._found[place] is None

    def problems_of(
        self, pipeline: Pipeline, *, observed: PipelineObserved | None
    ) -> tuple[Problem, ...]:
        return tuple(self._problems(pipeline, observed=observed))

    def compare(self, pipeline: Pipeline, observed: PipelineObserved) -> None:
        """Doubt what was found if somebody says something else."""
        places = places_of(pipeline)
        said = {f.message for place in places for f in _said_of(place, observed)}
        ours = {p.message for p in self._problems(pipeline, observed=observed)}
        if said != ours:
            self._doubted.add(pipeline.key)

    def take_doubted(self) -> frozenset[ObjectKey]:
        doubted, self._doubted = frozenset(self._doubted), set()
        return doubted

    def _problems(
        self, pipeline: Pipeline, *, observed: PipelineObserved | None
    ) -> Iterator[Problem]:
        for place in places_of(pipeline):
            if place in self._found:
                problem = self._found[place]
                if problem is not None:
                    yield problem
            elif observed is not None:
                for finding in _said_of(place, observed):
                    yield Problem(path="", code=finding.code, message=finding.message)


def places_of(pipeline: Pipeline) -> list[Place]:
    return sorted({(h.secret.namespace, h.secret.name) for h in pipeline.hook_secrets})


def _beginning(place: Place) -> str:
    return f"Secret {'/'.join(place)!r} for promotion hints: "


def _said_of(place: Place, observed: PipelineObserved) -> Iterator[Finding]:
    beginning = _beginning(place)
    return (f for f in observed.findings if f.message.startswith(beginning))
