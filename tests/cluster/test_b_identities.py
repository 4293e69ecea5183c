"""Each Pod does what it must and is kept from what it must not: tried from inside, as that Pod."""

import json
from typing import Final

import pytest
from cluster.machine import HOME, Machine
from cluster.subjects import BUS_PROBE, FORBIDDEN_TO_ALL

SERVICES: Final = ("watcher", "approval", "pr-writer", "auditor", "gateway")
FORGE_HOLDERS: Final = ("approval", "pr-writer", "auditor")
STORED_TOKEN: Final = ("get", "secret/flux-bot-token", "shop")
# What one account may, and what it must not; (verb, thing, namespace).
MAY: Final = {
    "watcher": [("list", "pipelines.pipelines.weave.works", "shop")],
    "approval": [("create", "subjectaccessreviews.authorization.k8s.io", "")],
    "pr-writer": [STORED_TOKEN],
    "auditor": [STORED_TOKEN],
    "gateway": [("create", "subjectaccessreviews.authorization.k8s.io", "")],
}
MAY_NOT: Final = {
    "watcher": [STORED_TOKEN, ("list", "secrets", "shop"), ("get", "pods", HOME)],
    "approval": [STORED_TOKEN, ("list", "secrets", HOME), ("list", "pods", HOME)],
    "pr-writer": [("list", "secrets", "shop"), ("get", "secret/countersign-client-secrets", HOME)],
    "auditor": [("list", "secrets", "shop"), ("patch", "secret/flux-bot-token", "shop")],
    "gateway": [STORED_TOKEN, ("list", "secrets", HOME), ("get", "pods", HOME)],
}
_PROCESS: Final = """
import json, os, pathlib, socket, subprocess
status = dict(l.split(':\\t', 1) for l in pathlib.Path('/proc/self/status').read_text().splitlines()
    if ':\\t' in l)
def writes(path):
    try:
        pathlib.Path(path, 'probe').write_text('x'); os.unlink(path + '/probe'); return True
    except OSError: return False
print(json.dumps({
    'uid': os.getuid(), 'caps': int(status['CapBnd'], 16) | int(status['CapEff'], 16),
    'nnp': status['NoNewPrivs'].strip(), 'seccomp': status['Seccomp'].strip(),
    'writable': [p for p in ('/', '/app', '/etc', '/var/run/countersign', '/usr', '/home')
        if writes(p)],
    'seeds': sorted(str(p) for p in pathlib.Path('/var/run').rglob('seed') if p.is_file()),
    'mounted': sorted(p.name for p in pathlib.Path('/var/run/countersign').iterdir()),
}))
"""
_NETWORK: Final = """
import json, socket, sys
def reaches(host, port):
    try:
        socket.create_connection((host, port), timeout=2).close(); return True
    except OSError: return False
print(json.dumps([reaches(h, p) for h, p in %r]))
"""


@pytest.mark.parametrize("service", SERVICES)
def test_account_has_its_rights_and_no_others(installed: Machine, service: str) -> None:
    account = f"--as=system:serviceaccount:{HOME}:countersign-{service}"

    def may(verb: str, thing: str, namespace: str) -> bool:
        where = [f"--namespace={namespace}"] if namespace else []
        done = installed.attempt("auth", "can-i", verb, thing, account, *where)
        return done.stdout.strip() == "yes"

    assert [one for one in MAY[service] if not may(*one)] == []
    assert [one for one in MAY_NOT[service] if may(*one)] == []


@pytest.mark.parametrize("service", SERVICES)
def test_process_is_nobody_and_writes_nowhere(installed: Machine, service: str) -> None:
    seen = json.loads(installed.run_in(service, _PROCESS))

    assert seen["uid"] != 0
    assert seen["caps"] == 0
    assert seen["nnp"] == "1"
    assert seen["seccomp"] == "2"
    assert seen["writable"] == []


@pytest.mark.parametrize("service", SERVICES)
def test_pod_holds_its_own_secrets_only(installed: Machine, service: str) -> None:
    seen = json.loads(installed.run_in(service, _PROCESS))

    others = {
        "watcher": {"webhooks"},
        # Of its writers it holds the public keys.
        "approval": {"clients", "writers"},
        # Private keys of GitHub Apps, where there are any.
        "pr-writer": {"apps"},
        "gateway": {"oidc", "sessions"},
    }
    assert set(seen["mounted"]) == {"nkey", "bus"} | others.get(service, set())
    own = installed.run_in(service, "print(open('/var/run/countersign/nkey/seed').read())").strip()
    assert own == installed.secret(f"countersign-nkey-{service}", "seed").decode().strip()


@pytest.mark.parametrize("service", SERVICES)
def test_network_lets_through_what_is_needed(installed: Machine, service: str) -> None:
    api = installed.attempt(
        "get", "service", "kubernetes", "--namespace=default", "-o=jsonpath={.spec.clusterIP}"
    ).stdout
    places = {
        "bus": ("nats", 4222),
        "api": (api, 443),
        "forge": ("forge", 3001),
        "monitor": ("nats-nodes", 8222),
        "routes": ("nats-nodes", 6222),
        "watcher": ("countersign-watcher", 8082),
        "gateway": ("countersign-gateway", 80),
        "credentials": ("169.254.169.254", 80),
        "metrics": (_address(installed, _other(service)), 8081),
    }
    # Nobody keeps a Pod from itself.
    places.pop(service, None)
    answers = json.loads(installed.run_in(service, _NETWORK % (list(places.values()),)))
    reached = {name for name, yes in zip(places, answers, strict=True) if yes}

    assert reached == {"bus", "api"} | ({"forge"} if service in FORGE_HOLDERS else set())


def _other(service: str) -> str:
    return next(one for one in SERVICES if one != service)


def _address(machine: Machine, service: str) -> str:
    return str(machine.pods(service)[0]["status"]["podIP"])


@pytest.mark.parametrize("service", SERVICES)
def test_user_of_the_bus_is_kept_to_its_subjects(installed: Machine, service: str) -> None:
    seen = json.loads(installed.run_in(service, BUS_PROBE.replace("{service}", service)))

    assert set(seen["refused"]) == set(FORBIDDEN_TO_ALL)
    assert seen["own"] == 0, "a user may listen to its own inbox"


def test_namespace_admits_no_pod_that_is_less_restricted(installed: Machine) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "loose", "namespace": HOME},
        "spec": {"containers": [{"name": "it", "image": "countersign/local:0.1.0"}]},
    }

    done = installed.attempt("apply", "--dry-run=server", "-f", "-", stdin=json.dumps(pod))

    assert done.returncode != 0
    assert "PodSecurity" in done.stderr
