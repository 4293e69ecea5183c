"""Forges are tried for real: whether they answer, and whether they know our application.

The application is tried with a code that nobody gave: a forge that knows it says that the code is
none, another that it does not know us. Where that does not tell whether our secret is right, it is
shown besides. Nothing comes of either.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final

from countersign.checks.clocks import clock_of
from countersign.checks.files import check_secret
from countersign.checks.model import Fault, Finding, Subject
from countersign.checks.words import trust_hint
from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.forge_list import Forge
from countersign.contracts.secret import Secret
from countersign.dialects.delegation.fitness import refuse_unaccepted
from countersign.dialects.delegation.oauth import Grant, Registration
from countersign.dialects.delegation.refusals import DelegationRefusal
from countersign.dialects.exchange import Request
from countersign.dialects.kinds import kind_of, unknown_options
from countersign.forges.http import AUTHORITY, ForgeHttp
from countersign.forges.oauth import OAuthClient
from countersign.process.faults.connections import Unreachable
from countersign.process.faults.mounts import Mount
from countersign.process.refusals import ProcessRefusal
from countersign.process.secret_files import read_secret

# How the entry names who vouches for the forge.
TRUST: Final = f"{AUTHORITY} of the forge's entry"
_MADE_UP: Final = "countersign-check-gave-no-code"
# Who answers is there, also with a page where people sign in (203 at Azure DevOps).
_ANY: Final = frozenset({203, *range(300, 500)})


async def check_forge(
    forge: Forge, *, now: Callable[[], datetime], public_url: str | None = None
) -> AsyncIterator[Finding]:
    """Try it, and compare its clock with ours.

    Args:
        forge: the administrator's entry.
        now: our clock.
        public_url: the board's address; with it the entry is judged too, and our application tried.

    """
    for finding in judge_entry(forge) if public_url is not None else ():
        yield finding
    try:
        http = ForgeHttp(forge)
    except Rejected as error:
        yield _finding(forge, Fault.BAD_AUTHORITY, error.message)
        return
    async with http:
        request = Request(
            name="look whether it is there", method="GET", url=f"{forge.origin}/", accept="*/*",
            passes=_ANY, cuts=True,
        )  # fmt: skip
        try:
            answer = await http.send(request)
        except Retryable as error:
            yield _unreached(forge, error)
            return
        except Rejected as error:
            yield _finding(forge, Fault.REFUSED, error.message)
            return
        yield _finding(forge, None, f"{forge.origin} answers")
        yield clock_of(forge.name, answer.headers.get("date", ""), now=now())
        if public_url is not None:
            yield await _application(forge, http, public_url=public_url, now=now)


def judge_entry(forge: Forge) -> Iterator[Finding]:
    """Find what the entry asks for and the kind has not, and what it has to accept and does not."""
    if unknown := unknown_options(forge):
        title = kind_of(forge).title
        yield _finding(forge, Fault.NOT_SUPPORTED, f"{title} has no {', '.join(unknown)}")
    if not forge.client_id:
        return
    try:
        refuse_unaccepted(kind_of(forge).capabilities, forge)
    except Rejected as error:
        yield _finding(forge, Fault.REACH_NOT_ACCEPTED, error.message)


async def _application(
    forge: Forge, http: ForgeHttp, *, public_url: str, now: Callable[[], datetime]
) -> Finding:
    if not forge.client_id:
        return _finding(forge, Fault.NO_APPLICATION, "no application of ours")
    held = check_secret(f"{forge.name}, clientSecretFile", forge.client_secret_file, Mount.CLIENTS)
    if held.fault:
        return held
    secret = partial(read_secret, Path(forge.client_secret_file), reason=ProcessRefusal.BAD_SECRET)
    registration = Registration(
        forge=forge,
        client_id=forge.client_id,
        secret=secret,
        redirect_uri=f"{public_url.rstrip('/')}/oauth/callback/{forge.slug}",
    )
    client = OAuthClient(http, registration, now=now)
    try:
        await client.exchange(Grant(code=Secret(_MADE_UP), verifier=Secret(_MADE_UP)))
    except (Rejected, Retryable) as error:
        found = judge_exchange(forge, error)
    else:
        return _finding(forge, Fault.REFUSED, "it gave a token for a code that it never gave")
    if found.fault is None and client.proves:
        try:
            await client.prove()
        except (Rejected, Retryable) as error:
            return judge_exchange(forge, error)
    return found


def judge_exchange(forge: Forge, error: Rejected | Retryable) -> Finding:
    """Say what a refused exchange tells of our application."""
    if error.reason == DelegationRefusal.EXPIRED:
        return _finding(forge, None, f"knows the application {forge.client_id}")
    faults = {
        DelegationRefusal.NO_CLIENT: Fault.APPLICATION_UNKNOWN,
        DelegationRefusal.DENIED: Fault.APPLICATION_UNKNOWN,
        ProcessRefusal.BAD_SECRET: Fault.SECRET_MISSING,
        DelegationRefusal.FORGE_UNAVAILABLE: Fault.UNREACHABLE,
    }
    found = next((fault for reason, fault in faults.items() if reason == error.reason), None)
    return _finding(forge, found or Fault.REFUSED, error.message)


def _unreached(forge: Forge, error: Retryable) -> Finding:
    fault = Fault(error.fault) if isinstance(error, Unreachable) else Fault.UNREACHABLE
    return replace(_finding(forge, fault, error.message), hint=trust_hint(fault, TRUST))


def _finding(forge: Forge, fault: Fault | None, detail: str) -> Finding:
    return Finding(subject=Subject.FORGE, name=forge.name, fault=fault, detail=detail)
