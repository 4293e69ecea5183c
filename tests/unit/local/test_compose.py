"""`compose.yaml` lets nobody in from elsewhere, and agrees with what else names its parts."""

import json
import re
import shutil
import subprocess
from typing import Any

import yaml
from reference import ROOT

from countersign.local.demo.programs import SERVICES

COMPOSE = ROOT / "compose.yaml"
MONITORING = ROOT / "k8s/monitoring"


def _services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())["services"]
    return found


def _others() -> dict[str, Any]:
    return {
        n: one
        for n, one in _services().items()
        if "countersign/" not in one["image"] and n != "nats"
    }


def test_nothing_is_published_beyond_this_machine() -> None:
    published = [port for one in _services().values() for port in one.get("ports", ())]

    assert published
    assert [port for port in published if not port.startswith("127.0.0.1:")] == []


def test_only_one_part_has_a_network_of_its_own() -> None:
    others = {n: one.get("network_mode") for n, one in _services().items() if n != "entry"}

    assert set(others.values()) == {"service:entry"}


def test_every_image_can_be_named_by_a_variable() -> None:
    images = [one["image"] for one in _services().values()]

    assert [
        image for image in images if not re.fullmatch(r"\$\{\w+:-[\w./-]+:[\w.]+\}", image)
    ] == []
    assert [image for image in images if image.endswith(":latest}")] == []


def test_part_may_write_only_what_it_is_for() -> None:
    ours = {n: one for n, one in _services().items() if "countersign/" in one["image"]}

    assert {*SERVICES, "topology", "forge", "cluster", "furnish", "entry"} == set(ours)
    for name, one in ours.items():
        assert one["read_only"], name
        assert one["cap_drop"] == ["ALL"], name
        assert one["user"] == "65532:65532", name


def test_prometheus_reads_the_health_port_of_each_service() -> None:
    given = {
        name: str(one["environment"]["COUNTERSIGN_HEALTH_PORT"])
        for name, one in _services().items()
        if name in SERVICES
    }
    config = yaml.safe_load((ROOT / "k8s/monitoring/prometheus/prometheus.yaml").read_text())
    read = {
        one["labels"]["pod"]: one["targets"][0].rpartition(":")[2]
        for one in config["scrape_configs"][0]["static_configs"]
    }

    assert read == given


def test_programs_of_others_see_no_secret_of_ours() -> None:
    for name, one in _others().items():
        assert one["profiles"], name
        assert one["cap_drop"] == ["ALL"], name
        sources = {volume.partition(":")[0] for volume in one["volumes"]}
        assert {s for s in sources if not s.startswith("./k8s/monitoring/")} <= {
            "traces",
            "metrics",
        }, name


def test_traces_are_sent_in_each_profile_and_taken_in_each() -> None:
    """What is sent, and linked to, hangs on there being a profile, whichever it is."""
    services = _services()
    profiles = {profile for one in services.values() for profile in one.get("profiles", ())}

    assert set(services["traces"]["profiles"]) == profiles
    for name in SERVICES:
        endpoint = services[name]["environment"]["OTEL_EXPORTER_OTLP_ENDPOINT"]
        assert "${COMPOSE_PROFILES:+http://127.0.0.1:4318}" in endpoint, name
    assert services["gateway"]["environment"]["COUNTERSIGN_TRACE_LINK"].startswith(
        "${COMPOSE_PROFILES:+http://"
    )


def test_grafana_finds_what_compose_starts() -> None:
    """By the files that Grafana provisions itself from; its image is not run by any test."""
    services = _services()
    files = {
        inside: yaml.safe_load((ROOT / outside).read_text())
        for outside, inside, _ in (v.split(":") for v in services["grafana"]["volumes"])
        if (ROOT / outside).is_file()
    }
    sources = files["/etc/grafana/provisioning/datasources/it.yaml"]["datasources"]
    (provider,) = files["/etc/grafana/provisioning/dashboards/it.yaml"]["providers"]
    by_uid = {source["uid"]: source for source in sources}
    jaeger = yaml.safe_load((MONITORING / "jaeger/jaeger.yaml").read_text())["extensions"]
    (destination,) = by_uid["prometheus"]["jsonData"]["exemplarTraceIdDestinations"]

    assert (
        f"--web.listen-address={by_uid['prometheus']['url'].removeprefix('http://')}"
        in (services["prometheus"]["command"])
    )
    assert by_uid["traces"]["url"] == f"http://{jaeger['jaeger_query']['http']['endpoint']}"
    assert [source["uid"] for source in sources if source.get("isDefault")] == ["prometheus"]
    assert destination == {"name": "trace_id", "datasourceUid": "traces"}
    assert (
        f"./k8s/monitoring/dashboards:{provider['options']['path']}:ro"
        in (services["grafana"]["volumes"])
    )
    # A dashboard asks the data source that is chosen, at first the default one of this kind.
    for path in MONITORING.glob("dashboards/*.json"):
        board = json.loads(path.read_text())
        (variable,) = board["templating"]["list"]
        assert (variable["query"], variable["current"]["value"]) == ("prometheus", "default")
        asked = {panel["datasource"]["uid"] for panel in board["panels"]}
        assert asked == {"${" + variable["name"] + "}"}


def test_programs_that_tests_build_are_those_that_images_are_named_for() -> None:
    modules = (ROOT / "tests/compose/viewers/go.mod").read_text()
    (two, jaeger, fix), (three, prometheus, patch) = (
        map(int, re.findall(r"(\d+)\.(\d+)\.(\d+)}", _services()[name]["image"])[0])
        for name in ("traces", "prometheus")
    )

    # https://github.com/jaegertracing/jaeger/releases: v2.13.0 and, as a module, v1.76.0 are one.
    assert two == 2
    assert f"github.com/jaegertracing/jaeger v1.{jaeger + 63}.{fix} " in modules
    # https://github.com/prometheus/prometheus/releases: v3.8.0 is v0.308.0 as a module.
    assert f"github.com/prometheus/prometheus v0.{three}{prometheus:02}.{patch} " in modules


def test_docker_takes_it() -> None:
    """Where there is a docker to ask; what else can be said of the file, the others say."""
    docker = shutil.which("docker")
    if docker is None:
        return
    asked = [docker, "compose", "version"]
    if subprocess.run(asked, capture_output=True, check=False, timeout=30).returncode:
        return
    command = [docker, "compose", "-f", str(COMPOSE), "--profile", "*", "config", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
