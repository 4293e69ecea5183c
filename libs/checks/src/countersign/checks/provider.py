"""The identity provider is asked for its description of itself."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from pathlib import Path
from typing import Final

import httpx2

from countersign.checks.clocks import clock_of
from countersign.checks.model import Fault, Finding, Subject
from countersign.contracts.bounds.bodies import BodyError, BoundedBody

TIMEOUT_S: Final = 8.0
ANSWER_BYTES_MAX: Final = 512 * 1024
WELL_KNOWN: Final = "/.well-known/openid-configuration"


async def check_provider(
    issuer: str, ca_file: Path | None, *, now: Callable[[], datetime]
) -> AsyncIterator[Finding]:
    """Read the provider's description of itself, and compare its clock with ours."""
    try:
        context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
        async with asyncio.timeout(TIMEOUT_S):
            answer, body = await _read(issuer.rstrip("/") + WELL_KNOWN, context)
    except (OSError, TimeoutError, httpx2.HTTPError, httpx2.InvalidURL, BodyError) as error:
        yield _finding(issuer, Fault.UNREACHABLE, type(error).__name__)
        return
    yield judge_description(issuer, answer.status_code, body)
    yield clock_of(issuer, answer.headers.get("date", ""), now=now())


def judge_description(issuer: str, status: int, body: bytes) -> Finding:
    """Say whether this is the description of that issuer."""
    try:
        found = json.loads(body) if status == httpx2.codes.OK else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        return _finding(issuer, Fault.REFUSED, f"answers with status {status}, and no description")
    if found.get("issuer") != issuer:
        return _finding(issuer, Fault.OTHER_ISSUER, "it calls itself otherwise")
    return _finding(issuer, None, "answers by that name")


async def _read(url: str, context: ssl.SSLContext) -> tuple[httpx2.Response, bytes]:
    async with (
        httpx2.AsyncClient(
            verify=context, trust_env=False, follow_redirects=False, timeout=TIMEOUT_S
        ) as client,
        client.stream("GET", url) as answer,
    ):
        body = BoundedBody(None, bytes_max=ANSWER_BYTES_MAX)
        async for chunk in answer.aiter_bytes():
            body.feed(chunk)
        return answer, body.whole()


def _finding(issuer: str, fault: Fault | None, detail: str) -> Finding:
    return Finding(subject=Subject.PROVIDER, name=issuer, fault=fault, detail=detail)
