"""Roles and bindings as files for `kubectl apply`."""

import re
from typing import Final

import yaml

from countersign.kube.grants import Grant, manifests

# Begins like no number; words that mean something are quoted by the dumper itself.
_PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z0-9./-]{2,}")


class _Dumper(yaml.SafeDumper):
    """Quotes what another reader of YAML might take for a number: `1e3` is one to `kubectl`."""


def _represented(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = None if _PLAIN.fullmatch(value) else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _represented)


def manifest_text(grant: Grant) -> str:
    """Write the Role and the RoleBinding of a grant as YAML."""
    text: str = yaml.dump_all(
        manifests(grant),
        Dumper=_Dumper,
        sort_keys=False,
        explicit_start=True,
        allow_unicode=True,
    )
    return text
