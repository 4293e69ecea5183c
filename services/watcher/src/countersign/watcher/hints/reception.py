"""Turns what Flux tells into another look at a Pipeline, and into nothing else.

No revision, no outcome and no state is ever taken from a hint: what an environment runs is decided
from the objects alone. So whoever can send hints can make us look, at most once a second.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from html import escape
from http import HTTPStatus
from itertools import pairwise
from typing import Final

from countersign.contracts.bounds.dictionaries import BoundedDict
from countersign.contracts.messages import CredentialMode, SecretRef
from countersign.dialects.pages import pull_request_page
from countersign.kube.objects import ObjectKey, group_of
from countersign.kube.pipelines.pipeline import Environment, Pipeline
from countersign.watcher.hints.flux_events import FluxEvent
from countersign.watcher.observation.inventory import Inventory
from countersign.watcher.observation.projection import Projection

# Objects whose last repeated event is remembered. One that is forgotten costs a look.
REPEATS_MAX: Final = 4096

Look = Callable[[Iterable[ObjectKey]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer as pipeline-controller would give it."""

    status: HTTPStatus
    text: str = ""
    location: str = ""


class Hints:
    def __init__(self, *, inventory: Inventory, projection: Projection, look: Look) -> None:
        self._inventory = inventory
        self._projection = projection
        self._look = look
        self._repeats: BoundedDict[tuple[ObjectKey, ObjectKey | None], str] = BoundedDict(
            REPEATS_MAX
        )

    def pipeline(self, key: ObjectKey) -> Pipeline | None:
        return self._inventory.pipelines.get(key)

    def on_request(self, event: FluxEvent, *, pipeline: Pipeline, environment: str) -> Answer:
        """Answer somebody who may speak about that Pipeline."""
        if not event.revision:
            return _refusal("event has no 'revision' in the metadata field.")
        target = promoted_into(pipeline, environment)
        refusal = _mismatch(event, pipeline=pipeline, environment=environment, target=target)
        if refusal or target is None:
            return _refusal(refusal)
        if target.strategy is None:
            return _refusal(target.no_strategy)
        if not self._is_repeated(event, pipeline=pipeline.key):
            self._look((pipeline.key,))
        waits = target.strategy.manual or target.strategy.mode is CredentialMode.DELEGATED
        if waits or event.tells_failure:
            return Answer(status=HTTPStatus.NO_CONTENT)
        location = self._pull_request(pipeline, target=target.name, revision=event.revision)
        return Answer(status=HTTPStatus.CREATED, location=location)

    def on_event(self, event: FluxEvent) -> str:
        """Take a hint that names no Pipeline; returns a word for what was done."""
        pipelines = self._inventory.naming(_key(event))
        if not pipelines:
            return "foreign"
        if self._is_repeated(event, pipeline=None):
            return "repeated"
        self._look(pipelines)
        return "looked"

    def _is_repeated(self, event: FluxEvent, *, pipeline: ObjectKey | None) -> bool:
        """Tell whether it only says again what was said at the last interval."""
        place = (_key(event), pipeline)
        known = self._repeats.pop(place, None)
        if not event.is_repeated:
            return False
        self._repeats[place] = event.revision
        return known == event.revision

    def _pull_request(self, pipeline: Pipeline, *, target: str, revision: str) -> str:
        """The page of the pull request that carries the revision there, if it is open already."""
        for promotion in self._projection.promotions_of(pipeline.ref.uid).values():
            asked = promotion.request
            if (
                asked.promotion.environment == target
                and asked.content.revision.recorded == revision
                and promotion.pull_request is not None
            ):
                return pull_request_page(promotion.pull_request)
        return ""


def promoted_into(pipeline: Pipeline, environment: str) -> Environment | None:
    """The environment after that one."""
    for source, target in pairwise(pipeline.environments):
        if source.name == environment:
            return target
    return None


def secrets_for(pipeline: Pipeline, environment: str) -> tuple[SecretRef | None, SecretRef | None]:
    """Find the Secrets that may sign for an environment.

    The Pipeline's own, and that of the settings by which is promoted from there; of the last
    environment its own, as nothing follows it.
    """
    target = promoted_into(pipeline, environment)
    name = target.name if target else environment
    named = {s.environment: s.secret for s in pipeline.hook_secrets}
    return named.get(""), named.get(name) if name else None


def _mismatch(
    event: FluxEvent, *, pipeline: Pipeline, environment: str, target: Environment | None
) -> str:
    """Why it speaks of nothing that could be promoted from there, in pipeline-controller's words.

    Source: https://github.com/weaveworks/pipeline-controller/blob/main/server/promotion_handler.go
    """
    source = next((e for e in pipeline.environments if e.name == environment), None)
    if source is None:
        place = f"{pipeline.key.namespace}/{pipeline.key.name}"
        return f"app {place} has no environment {environment} defined"
    if target is None:
        return f"cannot promote beyond last environment {environment}"
    if not target.targets:
        return f"environment {target.name} has no targets"
    # Not the version of its API: Flux moved on, and existing Pipelines name older ones.
    app = (group_of(pipeline.app.api_version), pipeline.app.kind, pipeline.app.name)
    namespaces = {t.namespace for t in source.targets}
    if (event.group, event.kind, event.name) != app or event.namespace not in namespaces:
        return "involved object does not match Pipeline definition"
    return ""


def _refusal(text: str) -> Answer:
    return Answer(status=HTTPStatus.UNPROCESSABLE_ENTITY, text=escape(text))


def _key(event: FluxEvent) -> ObjectKey:
    return ObjectKey(group=event.group, kind=event.kind, namespace=event.namespace, name=event.name)
