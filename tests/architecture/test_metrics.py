"""Metrics are what their page says, and named as Prometheus' people expect."""

import metrics_page
import pytest

EVERY = pytest.mark.parametrize("metric", metrics_page.declared(), ids=lambda m: m.name)
# Names of objects make a series each; people, repositories and namespaces do too.
IDENTIFIERS = {"name", "pipeline", "promotion", "namespace", "repository", "id", "user", "subject"}
UNITS = ("_seconds", "_ratio", "_bytes", "_calls")


def test_page_lists_what_is_declared() -> None:
    assert metrics_page.PAGE.read_text() == metrics_page.page()


def test_names_are_distinct() -> None:
    names = [metric.name for metric in metrics_page.declared()]

    assert sorted(set(names)) == names


@EVERY
def test_counters_and_only_counters_end_in_total(metric: metrics_page.Metric) -> None:
    assert metric.name.endswith("_total") == (metric.kind == "counter")


@EVERY
def test_histogram_names_its_unit(metric: metrics_page.Metric) -> None:
    assert metric.kind != "histogram" or metric.name.endswith(UNITS)


@EVERY
def test_label_is_no_identifier(metric: metrics_page.Metric) -> None:
    assert not IDENTIFIERS & set(metric.labels)


@EVERY
def test_metric_says_what_it_is(metric: metrics_page.Metric) -> None:
    assert metric.meaning
    assert not metric.name.startswith("countersign")
