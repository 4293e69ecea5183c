"""The Pipeline without its stored token, to be applied. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from countersign.contracts.errors import Rejected
from countersign.contracts.messages import PipelineObserved, SecretRef
from countersign.kube.objects import mapping, sequence, text
from countersign.kube.yaml_documents import documents, written

_FIELDS: Final = ("secretRef", "credential")
# What the API server sets by itself, and an apply must not bring back.
_SET_BY_SERVER: Final = (
    "creationTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "uid",
)


def without_stored_token(observed: PipelineObserved, secret: SecretRef) -> str:
    """Return the Pipeline as YAML in which people promote as themselves.

    Empty where its YAML is not known whole, or names the Secret nowhere.
    """
    try:
        (manifest,) = documents(observed.manifest)
    except (Rejected, ValueError):
        return ""
    changed, found = _without(manifest, secret.name)
    if not found or not isinstance(changed, Mapping):
        return ""
    metadata = {k: v for k, v in mapping(changed, "metadata").items() if k not in _SET_BY_SERVER}
    body = {**changed, "metadata": metadata}
    return written(body)


def _without(node: Any, secret: str) -> tuple[Any, bool]:
    """The node without references to the Secret, and whether there were any."""
    if isinstance(node, Mapping):
        named = text(node, "secretRef", "name") == secret
        kept = {k: v for k, v in node.items() if not (named and k in _FIELDS)}
        parts = {k: _without(v, secret) for k, v in kept.items()}
        return {k: part for k, (part, _) in parts.items()}, named or any(
            found for _, found in parts.values()
        )
    if isinstance(node, list):
        items = [_without(item, secret) for item in sequence(node)]
        return [item for item, _ in items], any(found for _, found in items)
    return node, False
