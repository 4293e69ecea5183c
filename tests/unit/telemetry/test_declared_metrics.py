"""The names under which everything that we measure is exported."""

import importlib
import re

import pytest
import sources
from prometheus_client import REGISTRY
from reference import ROOT

# The exporter's own end: https://prometheus.io/docs/practices/naming/
NAME = re.compile(r"countersign(_[a-z][a-z0-9]*)+")
DECLARES = re.compile(r"\b(?:counter|gauge|histogram)\(")


def declaring_modules() -> list[str]:
    return [
        ".".join(path.relative_to(ROOT).parts[3:]).removesuffix(".py")
        for path in sources.python_files("libs", "services")
        if DECLARES.search(path.read_text()) and path.name != "metrics.py"
    ]


@pytest.fixture(scope="module")
def declared() -> dict[str, str]:
    """Names and types of all metrics of all services and libraries."""
    for module in declaring_modules():
        importlib.import_module(module)
    return {
        metric.name: metric.type
        for metric in REGISTRY.collect()
        if metric.name.startswith("countersign") and "_test_" not in metric.name
    }


def test_every_module_that_measures_is_found(declared: dict[str, str]) -> None:
    assert len(declared) > len(declaring_modules()) > 5


def test_exported_name_has_our_prefix_once(declared: dict[str, str]) -> None:
    wrong = [n for n in declared if not NAME.fullmatch(n) or n.count("countersign") != 1]

    assert wrong == []


def test_histograms_name_their_unit(declared: dict[str, str]) -> None:
    units = ("_seconds", "_calls", "_bytes")
    histograms = [name for name, kind in declared.items() if kind == "histogram"]

    assert histograms
    assert [name for name in histograms if not name.endswith(units)] == []


def test_counter_is_declared_as_a_total() -> None:
    declaration = re.compile(r"\bcounter\(\s*\"(\w+)\"")
    names = [
        name
        for path in sources.python_files("libs", "services")
        for name in declaration.findall(path.read_text())
    ]

    assert names
    assert [name for name in names if not name.endswith("_total")] == []
