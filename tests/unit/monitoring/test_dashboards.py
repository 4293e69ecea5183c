"""Dashboards and alerts ask for what our services say, in the shape that Grafana takes."""

import json
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard
from reference import ROOT

HERE = ROOT / "k8s" / "monitoring"
BOARDS = sorted(HERE.glob("dashboards/*.json"))
METRIC = re.compile(r"\b(countersign_[a-z_]+?)(?:_bucket|_count|_sum)?\b")
ROW = re.compile(r"^\| `(countersign_\w+)` \| \w+ \| (.*?) \|", re.MULTILINE)
# What Prometheus itself and the client library add.
GIVEN = {"le", "pod", "namespace"}
LABELS = re.compile(r"(?:by|on|group_left) \(([^)]*)\)|\{([^}]*)\}")


def _known() -> dict[str, set[str]]:
    page = (ROOT / "docs" / "metrics.md").read_text()
    return {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in ROW.findall(page)}


def _queries() -> Iterator[str]:
    for path in BOARDS:
        for panel in json.loads(path.read_text())["panels"]:
            yield from (target["expr"] for target in panel["targets"])
    rules = yaml.safe_load((HERE / "prometheus" / "rules.yaml").read_text())
    yield from (rule["expr"] for group in rules["groups"] for rule in group["rules"])


@pytest.mark.parametrize("query", sorted(set(_queries())))
def test_query_asks_for_a_metric_and_labels_that_are_there(query: str) -> None:
    known = _known()
    metrics = set(METRIC.findall(query))
    asked = {
        word
        for by, chosen in LABELS.findall(query)
        for word in re.findall(r"(\w+)\s*(?:=|!|,|$)", re.sub(r'"[^"]*"', "", by or chosen))
    }

    assert metrics <= set(known), metrics - set(known)
    assert asked <= GIVEN.union(*(known[m] for m in metrics)), query


def test_generated_files_are_current() -> None:
    sys.path.insert(0, str(HERE))
    try:
        generate = import_module("generate")
        assert {p for p, text in generate.files().items() if p.read_text() != text} == set()
    finally:
        sys.path.remove(str(HERE))


@pytest.mark.parametrize("path", BOARDS, ids=lambda p: p.stem)
def test_dashboard_is_one_by_the_schema_of_grafana(path: Path) -> None:
    """What its own model reads and writes again is all there: no key is unknown to it."""
    plugins.register_default_plugins()
    ours = json.loads(path.read_text())

    theirs = json.loads(JSONEncoder(sort_keys=True).encode(Dashboard.from_json(ours)))

    assert list(_lost(ours, theirs)) == []


def _lost(ours: Any, theirs: Any, where: str = "") -> Iterator[str]:
    if isinstance(ours, dict):
        for key, value in ours.items():
            if not isinstance(theirs, dict) or key not in theirs:
                if value not in ("", [], {}, False):
                    yield f"{where}.{key}"
            else:
                yield from _lost(value, theirs[key], f"{where}.{key}")
    elif isinstance(ours, list):
        for number, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from _lost(one, other, f"{where}[{number}]")
    elif ours != theirs:
        yield f"{where}: {ours!r}"
