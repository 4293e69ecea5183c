"""`countersign-rbac`: print the Roles for the Secrets that Pipelines name."""

import argparse
import asyncio
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import ValidationError

from countersign.contracts.errors import Rejected, Retryable
from countersign.kube.access.http_api import KubeSettings, cluster_api
from countersign.kube.grants import NAMESPACE
from countersign.kube.objects import Manifest, mapping, sequence, text
from countersign.kube.rbac.secret_roles import LABELS, NamedSecrets, named_secrets, secret_roles
from countersign.kube.refusals import ClusterRefusal
from countersign.kube.yaml_documents import documents
from countersign.process.faults.validation import wrong_settings
from countersign.telemetry.logs import configure_logs

PROGRAM: Final = "countersign-rbac"
EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2
# Ten thousand Pipelines have less.
INPUT_BYTES_MAX: Final = 256 * 1024 * 1024
PAGE_OBJECTS: Final = 250
_PATHS: Final = (
    "/apis/pipelines.weave.works/v1alpha1/pipelines",
    "/apis/gitops.weave.works/v1alpha1/gitopsclusters",
)
_LABEL: Final = "app.kubernetes.io/component=" + LABELS["app.kubernetes.io/component"]
_EPILOG: Final = f"""\
example:
  kubectl get pipelines,gitopsclusters -A -o yaml | {PROGRAM} | kubectl apply -f -

GitopsClusters are needed only where a Pipeline has targets in other clusters; where that kind is
not installed, kubectl refuses it: leave it out. Look at what is printed before you apply it:
whoever may write a Pipeline chose those names.

Roles of namespaces where nothing is named any more stay; these go with
  kubectl delete roles,rolebindings -A -l {_LABEL}
after which what is needed is applied anew.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    configure_logs(service=PROGRAM, level="warning")
    try:
        named = named_secrets(_read(options))
    except ValidationError as error:
        places = "; ".join(map(str, wrong_settings(error)))
        return _complain(f"settings: {places}", EXIT_USAGE)
    except (OSError, UnicodeDecodeError) as error:
        return _complain(f"cannot read: {error}", EXIT_USAGE)
    except (Rejected, Retryable) as error:
        return _complain(error.message, EXIT_FAILED)
    sys.stdout.write(_printed(named, home=options.namespace))
    return 0


def _complain(message: str, code: int) -> int:
    sys.stderr.write(f"{PROGRAM}: {message}\n")
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Prints Roles that let pr-writer, auditor and watcher get the Secrets that "
        "Pipelines name, each by its name, and no other.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "files", nargs="*", type=Path, metavar="FILE", help="YAML or JSON; none: standard input"
    )
    parser.add_argument(
        "--cluster",
        action="store_true",
        help="read the cluster that COUNTERSIGN_KUBE_URL and COUNTERSIGN_KUBE_ACCOUNT_DIR name",
    )
    parser.add_argument(
        "--namespace",
        default=NAMESPACE,
        help="namespace of Countersign's service accounts (default: %(default)s)",
    )
    return parser


def _read(options: argparse.Namespace) -> Iterator[Manifest]:
    if options.cluster:
        settings = KubeSettings()
        if not settings.in_use:
            raise Rejected(
                ClusterRefusal.NO_CLUSTER, "COUNTERSIGN_KUBE_URL is not set; say which cluster"
            )
        yield from asyncio.run(_list(settings))
        return
    for path in options.files:
        with path.open("rb") as file:
            yield from _manifests(file.read(INPUT_BYTES_MAX + 1), name=str(path))
    if not options.files:
        yield from _manifests(sys.stdin.buffer.read(INPUT_BYTES_MAX + 1), name="standard input")


def _manifests(body: bytes, *, name: str) -> Iterator[Manifest]:
    if len(body) > INPUT_BYTES_MAX:
        raise Rejected(ClusterRefusal.TOO_LARGE, f"{name} has more than {INPUT_BYTES_MAX} bytes")
    try:
        for document in documents(body.decode()):
            yield from _flattened(document)
    except Rejected as refusal:
        raise Rejected(refusal.reason, f"{name} {refusal.message}") from None


def _flattened(document: Any) -> Iterator[Manifest]:
    if text(document, "kind").endswith("List"):
        yield from _items(mapping(document))
    elif document is not None:
        yield mapping(document)


def _items(listed: Manifest) -> Iterator[Manifest]:
    """Objects in an answer of the API server do not say again of which kind they are."""
    kind = {
        "apiVersion": text(listed, "apiVersion"),
        "kind": text(listed, "kind").removesuffix("List"),
    }
    for item in sequence(listed, "items"):
        yield {**kind, **mapping(item)}


async def _list(settings: KubeSettings) -> list[Manifest]:
    found: list[Manifest] = []
    async with cluster_api(settings) as api:
        for path in _PATHS:
            query = {"limit": str(PAGE_OBJECTS)}
            while True:
                try:
                    page = await api.call("GET", path, query=query)
                except Rejected as refusal:
                    if refusal.reason == ClusterRefusal.NOT_FOUND:  # its CRD is not installed
                        break
                    raise
                found += _items(page)
                after = text(page, "metadata", "continue")
                if not after:
                    break
                query["continue"] = after
    return found


def _printed(named: NamedSecrets, *, home: str) -> str:
    roles = secret_roles(named, home=home)
    count = f"{named.pipelines} Pipeline{'' if named.pipelines == 1 else 's'}"
    if not roles:
        return f"# {count} read; no Secret is named, so no right is needed.\n"
    head = (
        f"# What {count} name{'s' if named.pipelines == 1 else ''}: `get` on each of those Secrets"
        " by its name, and nothing else.\n"
        f"# Printed by {PROGRAM}; print and apply it again when a Pipeline names another.\n"
    )
    body: str = yaml.dump_all(
        roles, Dumper=yaml.CSafeDumper, sort_keys=False, explicit_start=True, allow_unicode=True
    )
    return head + body
