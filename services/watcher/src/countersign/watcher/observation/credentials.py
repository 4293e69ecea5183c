"""Findings of the auditor about Secrets that Pipelines name and nobody can read. Pure."""

from collections.abc import Iterator, Mapping
from typing import Final

from countersign.contracts.messages import Finding, FindingLevel, SecretRef, TokenChecked
from countersign.kube.objects import ObjectKey
from countersign.kube.pipelines.findings import FindingCode
from countersign.kube.pipelines.pipeline import Pipeline
from countersign.watcher.gaps import secret_subject

# What the token itself is worth is said on the page of credentials.
SHOWN: Final = frozenset({FindingCode.SECRET_FORBIDDEN, FindingCode.SECRET_MISSING})

Place = tuple[str, str]


class Credentials:
    """Grows with the number of Secrets that cannot be read."""

    def __init__(self) -> None:
        self._found: dict[Place, tuple[Finding, ...]] = {}

    def apply(self, event: TokenChecked) -> bool:
        """Returns whether something else is wrong with the Secret now, or nothing any more."""
        place = (event.credential.namespace, event.credential.name)
        found = tuple(_warning(f, *place) for f in event.findings if f.code in SHOWN)
        if found == self._found.get(place, ()):
            return False
        self._found.pop(place, None)
        if found:
            self._found[place] = found
        return True

    def findings_of(self, pipeline: Pipeline) -> tuple[Finding, ...]:
        if not self._found:
            return ()
        places = sorted({(ref.namespace, ref.name) for ref in secrets_of(pipeline)})
        return tuple(finding for place in places for finding in self._found.get(place, ()))

    def forget(self) -> None:
        """Their stream was made anew; the auditor says it again."""
        self._found.clear()


def secrets_of(pipeline: Pipeline) -> Iterator[SecretRef]:
    """Those that promotions may use; nothing is promoted into the first environment."""
    for environment in pipeline.environments[1:]:
        if environment.strategy is not None and environment.strategy.secret is not None:
            yield environment.strategy.secret


def naming(pipelines: Mapping[ObjectKey, Pipeline], secret: SecretRef) -> list[ObjectKey]:
    return [key for key, pipeline in pipelines.items() if secret in secrets_of(pipeline)]


def _warning(finding: Finding, namespace: str, name: str) -> Finding:
    """The Pipeline itself is sound, and what it runs is still known."""
    return Finding(
        level=FindingLevel.WARNING,
        code=finding.code,
        message=finding.message,
        subject=secret_subject(namespace, name),
        path=finding.path,
    )
