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
