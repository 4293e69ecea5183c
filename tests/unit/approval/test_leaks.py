"""No token, code, verifier or client secret in any log line, span, event or answer."""

import asyncio
import io
import json
import logging
from typing import Any

import pytest
import structlog
from doubles.approval_house import SESSION, Call, House, failed, opened, person, settle
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from countersign.approval.assembly import Service
from countersign.contracts import messages as m
from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.record.attempts import PromotionRecord, fold
from countersign.contracts.record.decisions import Heard
from countersign.contracts.record.rows import rows_of
from countersign.contracts.record.tables import csv_head, csv_line

GRAM = 8  # characters in a row; shorter ones repeat by chance


def grams(text: str) -> set[str]:
    return {text[i : i + GRAM] for i in range(len(text) - GRAM + 1)}


def found_in(seen: str, secrets: list[str]) -> set[str]:
    return {gram for secret in secrets for gram in grams(secret) if gram in seen}


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """Everything that any logger says at any level, before the redactor could help."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    old = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    for name in list(logging.root.manager.loggerDict):
        monkeypatch.setattr(logging.getLogger(name), "level", logging.DEBUG)
    structlog.configure(
        processors=[structlog.processors.JSONRenderer(default=repr)],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
        logger_factory=structlog.PrintLoggerFactory(file=stream),
        cache_logger_on_first_use=False,
    )
    yield stream
    root.removeHandler(handler)
    root.setLevel(old)
    structlog.reset_defaults()


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    return exporter


def said(error: BaseException | None) -> str:
    """All that an exception and what it came from would show in a traceback."""
    parts = []
    while error is not None:
        parts += [str(error), repr(error), repr(vars(error))]
        error = error.__cause__ or error.__context__
    return " ".join(parts)


async def walk(house: House, seen: list[str]) -> list[str]:
    """Good and bad ways through the service; returns what must not be seen."""
    secrets: list[str] = []
    odd_ways: list[dict[str, Any]] = [
        {},
        {"prefix": "gho_", "expires_in": None},
        {"also_reaches": ("shop/other",)},
        {"exchange_error": "bad_verification_code"},
        {"html": True},
        {"fail_revocations": 3},
        {"status": {"/user": 500}},
        {"status": {"/applications/Iv1.madeup/token/scoped": 403}},
    ]
    async with house.running("approval-0") as (approval,):
        await house.request()
        for way in odd_ways:
            begun = await house.begin(approval)
            if begun.granted:
                continue
            back = house.forge.sign_in(begun.authorize_url, "ada")
            secrets.append(back["code"])
            for name, value in way.items():
                setattr(house.forge.odd, name, value)
            try:
                seen.append(repr(await house.complete(approval, back)))
            except (Rejected, Retryable) as error:
                seen.append(said(error))
            house.forge.odd = type(house.forge.odd)()
            try:
                redemption = house.redemption(begun.approval_id)
                seen.append(repr(await house.redeem(approval, redemption)))
            except (Rejected, Retryable) as error:
                seen.append(said(error))
            await house.stream.publish(failed(m.FailureReason.CONFLICT), message_id=str(way))
            await settle(approval)
            retry = m.RetryRequest(promotion_id="p" * 16, person=person("ada"))
            if house.state(approval) == "failed":
                await approval.handlers.on_retry(retry, Call("gateway"))
            out = m.RevokeRequest(person=person("ada"), session=SESSION)
            await approval.handlers.on_revoke(out, Call("gateway"))
        await by_device(house, approval)
        await house.stream.publish(opened(), message_id="opened")
        await settle(approval)
        seen.append(repr(approval))
    return secrets


async def by_device(house: House, approval: Service) -> None:
    """Sign in by a code, which is typed after it was asked about."""
    begun = await house.begin(approval, device=True)
    assert begun.user_code is not None
    granted = len(house.stream.of(m.ApprovalGranted))
    following = asyncio.create_task(approval.devices.run())
    async with asyncio.timeout(5):
        while len(house.stream.of(m.ApprovalGranted)) == granted:
            if ("POST", "/login/oauth/access_token") in house.forge.calls[-1:]:
                house.forge.devices[-1].login = "ada"
            await asyncio.sleep(0)
    following.cancel()


def exports(house: House) -> list[str]:
    """The record of all that happened, as people and programs take it away."""
    record: PromotionRecord | None = None
    for sequence, event in enumerate(house.stream.events, start=1):
        record = fold(record, event, Heard(sequence, house.clock()))
    rows = list(rows_of(record)) if record else []
    assert any(row.decisions for row in rows)
    return [csv_head(), *map(csv_line, rows), *(row.line() for row in rows)]


async def test_nothing_secret_is_seen_anywhere(
    house: House,
    logged: io.StringIO,
    spans: InMemorySpanExporter,
) -> None:
    seen: list[str] = []

    codes = await walk(house, seen)

    seen.append(logged.getvalue())
    seen += [span.to_json() for span in spans.get_finished_spans()]
    seen += [event.to_json().decode() for event in house.stream.events]
    seen += exports(house)
    secrets = [*house.forge.secrets, *codes]
    everything = "\n".join(seen)
    assert len(secrets) > 12
    assert "delegation.revoked" in everything
    assert spans.get_finished_spans()
    assert found_in(everything, secrets) == set()


async def test_scan_finds_what_it_looks_for(logged: io.StringIO) -> None:
    """The positive control: a token cut in the middle is found."""
    token = "ghr_canary0123456789abcdefghijklmnopqrst"
    print(json.dumps({"cut": token[:12] + "..." + token[-12:]}), file=logged)
    logging.getLogger("some.library").debug("header %s", token[4:30])

    assert found_in(logged.getvalue(), [token])
