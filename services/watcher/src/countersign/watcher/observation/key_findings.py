"""Remembers what keeps senders of promotion hints from signing, by the Secrets of their keys. Pure.

No caller of the hook can see any of it.
"""

from collections.abc import Iterator
from typing import Final

from countersign.contracts.messages import Finding, FindingLevel, ObjectRef, PipelineObserved
from countersign.kube.objects import ObjectKey
from countersign.kube.pipelines.findings import FindingCode
from countersign.kube.pipelines.pipeline import Pipeline
from countersign.watcher.gaps import secret_subject

# Tells what is wrong with a Secret of a key from what is wrong with one of a credential.
KEY_PATH: Final = "data.hmac-key"

Place = tuple[str, str]


class KeyFindings:
    """Findings of this watcher; of a Secret that it did not look at yet, what is told already.

    So a watcher that starts takes nothing back, and another that sees something else is believed
    only after another look.
    """

    def __init__(self) -> None:
        self._found: dict[Place, Finding | None] = {}
        self._doubted: set[ObjectKey] = set()

    def tell(self, place: Place, *, code: FindingCode | None = None, message: str = "") -> bool:
        """Note a finding, or without a code that all is well; returns whether that is news."""
        finding = None
        if code is not None:
            finding = Finding(
                level=FindingLevel.WARNING,
                code=code,
                message=f"Secret {'/'.join(place)!r} for promotion hints: {message}",
                subject=secret_subject(*place),
                path=KEY_PATH,
            )
        is_news = place not in self._found or self._found[place] != finding
        self._found[place] = finding
        return is_news

    def keep(self, places: set[Place]) -> None:
        """Forget all others."""
        for place in self._found.keys() - places:
            del self._found[place]

    def is_well(self, place: Place) -> bool:
        return place in self._found and self._found[place] is None

    def findings_of(
        self, pipeline: Pipeline, *, observed: PipelineObserved | None
    ) -> tuple[Finding, ...]:
        return tuple(self._findings(pipeline, observed=observed))

    def compare(self, pipeline: Pipeline, observed: PipelineObserved) -> None:
        """Doubt what was found if somebody says something else."""
        said = [f for place in places_of(pipeline) for f in _said_of(place, observed)]
        if said != list(self._findings(pipeline, observed=observed)):
            self._doubted.add(pipeline.key)

    def take_doubted(self) -> frozenset[ObjectKey]:
        doubted, self._doubted = frozenset(self._doubted), set()
        return doubted

    def _findings(
        self, pipeline: Pipeline, *, observed: PipelineObserved | None
    ) -> Iterator[Finding]:
        for place in places_of(pipeline):
            if place in self._found:
                finding = self._found[place]
                if finding is not None:
                    yield finding
            elif observed is not None:
                yield from _said_of(place, observed)


def places_of(pipeline: Pipeline) -> list[Place]:
    return sorted({(h.secret.namespace, h.secret.name) for h in pipeline.hook_secrets})


def _said_of(place: Place, observed: PipelineObserved) -> Iterator[Finding]:
    subject: ObjectRef = secret_subject(*place)
    return (f for f in observed.findings if f.path == KEY_PATH and f.subject == subject)
