"""The Secrets with the keys that senders of promotion hints sign with.

Weave's controller reads only the Pipeline's own; one that an environment names is read here too.
Source: https://github.com/weaveworks/pipeline-controller/blob/main/server/sign_verifier.go
"""

from dataclasses import dataclass
from typing import Final

from countersign.contracts.messages import SecretRef
from countersign.kube.objects import Manifest, mapping, sequence, text

# As many as environments are read.
HOOK_SECRETS_MAX: Final = 101


@dataclass(frozen=True, slots=True, kw_only=True)
class HookSecret:
    """`environment` is the one promoted into; empty where the Secret is the whole Pipeline's."""

    environment: str
    secret: SecretRef


def read_hook_secrets(manifest: Manifest, *, namespace: str) -> tuple[HookSecret, ...]:
    """The Pipeline's own comes first, if it names one."""
    places = [("", mapping(manifest, "spec"))]
    places += [
        (name, mapping(entry))
        for entry in sequence(manifest, "spec", "environments")[: HOOK_SECRETS_MAX - 1]
        if (name := text(entry, "name"))
    ]
    return tuple(
        HookSecret(environment=environment, secret=SecretRef(namespace=namespace, name=name))
        for environment, place in places
        if (name := text(place, "promotion", "strategy", "secretRef", "name"))
    )
