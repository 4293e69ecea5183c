"""Lines of the log, read as another program does."""

import json
import logging
from typing import Any

import pytest

from countersign.telemetry.logs import configure_logs, get_logger
from countersign.telemetry.tracing import span


@pytest.fixture
def lines(capsys: Any) -> Any:
    configure_logs(service="watcher", level="info")
    return lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_line_is_one_json_object_on_standard_error(lines: Any) -> None:
    get_logger().info("pull_request.opened", promotion_id="p1", number=7)

    (line,) = lines()
    assert line["event"] == "pull_request.opened"
    assert (line["promotion_id"], line["number"]) == ("p1", 7)
    assert (line["service"], line["level"]) == ("watcher", "info")
    assert line["time"].endswith("Z")


def test_line_belongs_to_its_trace(lines: Any, spans: Any) -> None:
    with span("work") as current:
        get_logger().info("inside")
    get_logger().info("outside")

    inside, outside = lines()
    assert inside["trace_id"] == f"{current.get_span_context().trace_id:032x}"
    assert inside["span_id"] == f"{current.get_span_context().span_id:016x}"
    assert "trace_id" not in outside


def test_lower_levels_are_left_out(lines: Any) -> None:
    get_logger().debug("quiet")
    logging.getLogger("library").info("heard")
    logging.getLogger("library").debug("quiet")

    assert [line["event"] for line in lines()] == ["heard"]


def test_token_in_field_or_exception_is_redacted(lines: Any) -> None:
    token = "ghp_" + "madeUp0" * 6
    try:
        int(token)
    except ValueError:
        get_logger().exception("request.failed", header=token)
    logging.getLogger("library").warning("got %s", token)

    text = json.dumps(lines())
    assert token not in text
    assert "ValueError" in text


@pytest.mark.parametrize("name", ["httpx2", "uvicorn.access", "kubernetes_asyncio", "nats"])
def test_libraries_that_print_too_much_are_held_back(lines: Any, name: Any) -> None:
    logging.getLogger(name).info("GET https://x/?code=madeup")

    assert lines() == []
