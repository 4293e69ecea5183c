"""The identity provider is asked for its description of itself."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx2

from countersign.checks.clocks import clock_of
from countersign.checks.model import Fault, Finding, Subject
from countersign.checks.words import trust_hint
from countersign.contracts.bounds.bodies import BodyError, BoundedBody
from countersign.process.faults.connections import fault_of, words_of
from countersign.process.http.loopback import is_loopback
from countersign.telemetry.redaction import redact

TIMEOUT_S: Final = 8.0
ANSWER_BYTES_MAX: Final = 512 * 1024
NAME_CHARACTERS_MAX: Final = 200
WELL_KNOWN: Final = "/.well-known/openid-configuration"
ISSUER: Final = "COUNTERSIGN_OIDC_ISSUER_URL"
TRUST: Final = "COUNTERSIGN_OIDC_CA_FILE"


async def check_provider(
    issuer: str, ca_file: Path | None, *, now: Callable[[], datetime]
) -> AsyncIterator[Finding]:
    """Read the provider's description of itself, and compare its clock with ours."""
    if fault := _flaw(issuer):
        yield _finding(issuer, fault, "nothing was asked")
        return
    try:
        context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    except OSError as error:
        yield _finding(issuer, Fault.BAD_AUTHORITY, f"{TRUST}: {ca_file}: {error.strerror}")
        return
    url = issuer.rstrip("/") + WELL_KNOWN
    try:
        async with asyncio.timeout(TIMEOUT_S):
            answer, body = await _read(url, context)
    except (OSError, TimeoutError, httpx2.HTTPError, httpx2.InvalidURL, BodyError) as error:
        fault = Fault(fault_of(error))
        hint = trust_hint(fault, TRUST)
        yield _finding(issuer, fault, f"{url}: {words_of(error)}", hint=hint)
        return
    yield judge_description(issuer, answer.status_code, body)
    yield clock_of(redact(issuer), answer.headers.get("date", ""), now=now())


def judge_description(issuer: str, status: int, body: bytes) -> Finding:
    """Say whether this is the description of that issuer."""
    try:
        found = json.loads(body) if status == httpx2.codes.OK else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        url = issuer.rstrip("/") + WELL_KNOWN
        told = f"{url} answers with status {status}, and no description of a provider"
        return _finding(issuer, Fault.REFUSED, told)
    if found.get("issuer") != issuer:
        itself = redact(str(found.get("issuer")))[:NAME_CHARACTERS_MAX]
        hint = f"set {ISSUER} to exactly that"
        return _finding(issuer, Fault.OTHER_ISSUER, f"it calls itself {itself!r}", hint=hint)
    return _finding(issuer, None, "answers by that name")


def _flaw(issuer: str) -> Fault | None:
    """Judge the address as the gateway does, which does not start with such a one."""
    parts = urlsplit(issuer)
    host = parts.hostname or ""
    if not host or parts.username is not None or parts.fragment:
        return Fault.BAD_ADDRESS
    safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))
    return None if safe else Fault.NOT_ENCRYPTED


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


def _finding(issuer: str, fault: Fault | None, detail: str, *, hint: str = "") -> Finding:
    return Finding(
        subject=Subject.PROVIDER,
        name=redact(issuer),
        fault=fault,
        detail=redact(detail),
        hint=hint,
    )
