"""Metrics cannot grow without end."""

import pytest

from countersign.telemetry.metrics import (
    SERIES_MAX,
    at_scrape,
    counter,
    exposition,
    gauge,
    histogram,
)
from countersign.telemetry.tracing import span


def test_metric_is_exposed_under_our_name() -> None:
    counter("test_things_total", "Things.", ("kind",)).labels(kind="a").inc()

    assert b'countersign_test_things_total{kind="a"} 1.0' in exposition()


def test_metric_without_labels_works() -> None:
    gauge("test_level", "Level.").labels().set(3)
    histogram("test_spent_seconds", "Spent.").labels().observe(0.2)

    assert b"countersign_test_level 3.0" in exposition()
    assert b"countersign_test_spent_seconds_count 1.0" in exposition()


def test_too_many_series_are_counted_together() -> None:
    things = counter("test_many_total", "Many.", ("id",))

    for number in range(SERIES_MAX + 50):
        things.labels(id=str(number)).inc()

    lines = [
        line
        for line in exposition().decode().splitlines()
        if line.startswith("countersign_test_many_total{")
    ]
    assert len(lines) == SERIES_MAX + 1
    assert 'countersign_test_many_total{id="other"} 50.0' in lines


def test_name_with_our_prefix_is_refused_before_it_is_exported_with_two() -> None:
    with pytest.raises(ValueError, match="prefix"):
        counter("countersign_things_total", "Things.")


def test_a_look_ends_with_the_service_that_asked_for_it() -> None:
    looks: list[str] = []

    with at_scrape(lambda: looks.append("looked")):
        exposition()
    exposition()

    assert looks == ["looked"]


def test_values_known_beforehand_are_shown_before_they_are_counted() -> None:
    counter("test_ends_total", "Ends.", ("how",), known=[("well",), ("badly",)])

    assert b'countersign_test_ends_total{how="badly"} 0.0' in exposition()


@pytest.mark.usefixtures("spans")
def test_number_leads_to_the_trace_in_which_it_was_counted() -> None:
    tried = counter("test_tries_total", "Tries.")
    took = histogram("test_took_seconds", "Took.")

    with span("try") as current:
        tried.labels().inc()
        took.labels().observe(0.2)

    trace_id = f'trace_id="{current.get_span_context().trace_id:032x}"'
    shown = exposition(with_exemplars=True).decode()
    led = [line.partition("{")[0] for line in shown.splitlines() if trace_id in line]
    assert led == ["countersign_test_tries_total 1.0 # ", "countersign_test_took_seconds_bucket"]
    assert trace_id not in exposition().decode()


def test_number_outside_of_a_trace_leads_nowhere() -> None:
    counter("test_lone_total", "Lone.").labels().inc()

    line = next(
        line
        for line in exposition(with_exemplars=True).decode().splitlines()
        if line.startswith("countersign_test_lone_total ")
    )
    assert "trace_id" not in line
