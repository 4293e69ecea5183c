"""Findings as lines for a person: what was looked at, and what to do. Pure."""

from collections.abc import Mapping
from typing import Final

from countersign.checks.model import Fault, Finding
from countersign.telemetry.redaction import redact

GOOD: Final = "ok"
BAD: Final = "FAILS"
TOLERATED: Final = "note"
ADVICE: Final[Mapping[Fault, str]] = {
    Fault.WRONG_SETTING: "correct it in k8s/settings/settings.yaml and apply again",
    Fault.UNKNOWN_SETTING: "nobody reads it: docs/settings.md has all names",
    Fault.NOT_SET: "set it in k8s/settings/settings.yaml and apply again",
    Fault.NOT_TRIED: "it is tried again by itself; if that stays, look at the Pod's memory limit",
    Fault.BAD_ADDRESS: "give an address like https://host/path, without user or fragment",
    Fault.NOT_ENCRYPTED: "give an https:// address: without TLS a session can be stolen",
    Fault.ONLY_INSIDE: "give the name by which browsers reach it, not one of the cluster alone",
    Fault.UNREACHABLE: (
        "look at its address, at a firewall, and at the NetworkPolicies of "
        "k8s/services/network.yaml"
    ),
    Fault.NAME_UNKNOWN: "look at its address in the settings, and at the cluster's DNS",
    Fault.CONNECTION_REFUSED: "look at host and port in the settings, and whether it runs",
    Fault.TIMED_OUT: (
        "look at a firewall, and at the NetworkPolicies of k8s/services/network.yaml: they let "
        "services reach ports 443 and 6443"
    ),
    Fault.NOT_TRUSTED: "name who vouches for its certificate, in PEM",
    Fault.NOT_TLS: "look at scheme and port of its address: https:// is for who speaks TLS",
    Fault.BAD_AUTHORITY: (
        "put the authority's certificates, in PEM, there: a key of the ConfigMap "
        "countersign-forges is a file in /etc/countersign"
    ),
    Fault.REFUSED: "it answers, but not as it should: look at its address in the settings",
    Fault.NO_APPLICATION: (
        "nobody can promote as themselves there: register an application, and set "
        "clientId and clientSecretFile"
    ),
    Fault.SECRET_MISSING: (
        "put it into the Secret that is mounted there, under the name of the file: "
        "docs/install.md has all of them"
    ),
    Fault.FILE_MISSING: "put it there, or take it out of the settings",
    Fault.APPLICATION_UNKNOWN: (
        "compare clientId, the client secret and the callback with what the forge shows"
    ),
    Fault.REACH_NOT_ACCEPTED: (
        "nobody can promote as themselves there until then: docs/forges says what its tokens reach"
    ),
    Fault.NOT_SUPPORTED: "pr-writer does not start with it: take it out of the entry",
    Fault.OTHER_ISSUER: "set COUNTERSIGN_OIDC_ISSUER_URL to exactly what the provider calls itself",
    Fault.KEY_REFUSED: (
        "the bus does not know this key: delete the Job countersign-setup-… and apply "
        "again, or give an existing bus the users of countersign-topology"
    ),
    Fault.STREAM_MISSING: "delete the Job countersign-topology-… and apply again",
    Fault.NO_MAJORITY: (
        "more than half of the bus's servers have to run: kubectl -n countersign get pods "
        "-l app.kubernetes.io/name=nats"
    ),
    Fault.STREAM_FULL: "nothing more can be requested soon: see docs/streams.md",
    Fault.PERMISSION_MISSING: (
        "the bus lets this user do less than it must: delete the Job countersign-setup-… and apply "
        "again, or give an existing bus the users of countersign-topology"
    ),
    Fault.KIND_MISSING: "install what brings it: Flux, or k8s/base for Pipelines",
    Fault.RIGHT_MISSING: "apply k8s/base again, or grant it: docs/permissions.md has all of them",
    Fault.CLOCK_WRONG: "set the clock of the nodes (NTP): tokens are judged by it",
}


def line(finding: Finding) -> str:
    """Write one finding as one line."""
    mark = BAD if finding.is_serious else GOOD if finding.fault is None else TOLERATED
    told = f"{mark:<6}{finding.subject:<9}{finding.name}"
    if finding.detail:
        told += f": {' '.join(finding.detail.split())}"
    return redact(f"{told} -> {advice(finding)}" if finding.fault else told)


def last_line(*, tried: int, failed: int) -> str:
    """Say how it went as a whole."""
    return f"{failed} of {tried} fail" if failed else f"all {tried} hold"


def trust_hint(fault: Fault, setting: str) -> str:
    """Say which setting names who vouches for a certificate, where that is what is missing."""
    told = f"{ADVICE[Fault.NOT_TRUSTED]}: {setting}"
    return told if fault is Fault.NOT_TRUSTED else ""


def advice(finding: Finding) -> str:
    """Say what to do about it; nothing where it is as it should be."""
    return finding.hint or ADVICE[finding.fault] if finding.fault else ""
