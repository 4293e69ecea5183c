"""What was applied is what runs: twice is once, and nothing stands in the way of a second time."""

from cluster.machine import Machine

SERVICES = ("watcher", "approval", "pr-writer", "auditor", "gateway")


def test_applying_twice_changes_nothing(installed: Machine) -> None:
    kinds = "deployment,statefulset,job,service,configmap,networkpolicy,role,rolebinding"
    before = installed.kubectl("get", kinds, "-o", _GENERATIONS)

    installed.kubectl("apply", "-f", "-", stdin=installed.manifests("dev"))

    assert installed.kubectl("get", kinds, "-o", _GENERATIONS) == before


def test_jobs_run_a_second_time_and_change_nothing(installed: Machine) -> None:
    """As at an upgrade, whose Jobs have other names."""
    names = installed.kubectl("get", "job", "-o", "name").split()
    pods = {s: _uids(installed, s) for s in (*SERVICES, "nats")}

    installed.kubectl("delete", *names)
    installed.kubectl("apply", "-f", "-", stdin=installed.manifests("dev"))
    installed.kubectl("wait", "--for=condition=Complete", "--timeout=240s", "job", "--all")

    said = installed.kubectl("logs", next(n for n in names if "setup" in n))
    assert "+ secret" not in said
    assert {s: _uids(installed, s) for s in (*SERVICES, "nats")} == pods


_GENERATIONS = "custom-columns=K:.kind,N:.metadata.name,G:.metadata.generation"


def _uids(machine: Machine, service: str) -> set[str]:
    return {pod["metadata"]["uid"] for pod in machine.pods(service)}
