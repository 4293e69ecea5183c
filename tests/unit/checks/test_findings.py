"""Each fault of an installation is told from the others, and says what to do."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from countersign.checks.addresses import check_addresses
from countersign.checks.bus import judge_connection, judge_stream
from countersign.checks.clocks import clock_of
from countersign.checks.cluster import RIGHTS, of_accounts, of_ourselves
from countersign.checks.forges import judge_entry, judge_exchange
from countersign.checks.model import Fault, Finding, Subject
from countersign.checks.provider import check_provider, judge_description
from countersign.checks.words import ADVICE, line
from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.forge_list import Forge
from countersign.dialects.delegation.refusals import DelegationRefusal
from countersign.messaging.leader_reads import StreamState
from countersign.messaging.refusals import BusRefusal
from countersign.process.refusals import ProcessRefusal

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
GITHUB = Forge(name="GitHub", kind="github", origin="https://github.com", client_id="Iv1.x")


def test_every_fault_has_its_advice() -> None:
    assert set(ADVICE) == set(Fault)


def test_line_says_the_fault_once_and_is_one_line() -> None:
    found = Finding(
        subject=Subject.BUS, name="tls://nats:4222", fault=Fault.UNREACHABLE, detail="no\nanswer"
    )

    told = line(found)

    assert told.count("\n") == 0
    assert told.endswith(ADVICE[Fault.UNREACHABLE])


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("https://countersign.example.org", None),
        ("http://127.0.0.1:8080", None),
        ("http://localhost:8080", None),
        ("", Fault.NOT_SET),
        ("http://countersign.example.org", Fault.NOT_ENCRYPTED),
        ("https://countersign-gateway", Fault.ONLY_INSIDE),
        ("https://countersign-gateway.countersign.svc", Fault.ONLY_INSIDE),
        ("https://gateway.countersign.svc.cluster.local", Fault.ONLY_INSIDE),
    ],
)
def test_address_is_one_that_a_browser_can_use(url: str, fault: Fault | None) -> None:
    (found,) = check_addresses(url, ())

    assert found.fault is fault


def test_callback_to_register_is_said() -> None:
    found = list(check_addresses("https://c.example.org/", (GITHUB,)))

    assert any("https://c.example.org/oauth/callback/github" in one.detail for one in found)


@pytest.mark.parametrize(
    ("kind", "entry", "faults"),
    [
        ("github", {}, []),
        ("gitea", {}, []),
        ("forgejo", {}, []),
        ("gitlab", {}, [Fault.REACH_NOT_ACCEPTED]),
        ("bitbucket-cloud", {}, [Fault.REACH_NOT_ACCEPTED]),
        ("bitbucket-server", {}, [Fault.REACH_NOT_ACCEPTED]),
        ("azure-devops", {}, [Fault.REACH_NOT_ACCEPTED]),
        ("gitlab", {"broadTokens": "accept"}, []),
        # Nobody is to delegate there.
        ("gitlab", {"clientId": ""}, []),
        ("gitea", {"deviceFlow": True}, [Fault.NOT_SUPPORTED]),
    ],
)
def test_entry_that_nobody_can_promote_with_is_said(
    kind: str, entry: dict[str, Any], faults: list[Fault]
) -> None:
    forge = Forge.model_validate(
        {"name": "F", "kind": kind, "origin": "https://f.example", "clientId": "c", **entry}
    )

    found = list(judge_entry(forge))

    assert [one.fault for one in found] == faults
    assert all(one.is_serious for one in found)


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (Rejected(DelegationRefusal.EXPIRED, "no such code"), None),
        (Rejected(DelegationRefusal.NO_CLIENT, "who are you"), Fault.APPLICATION_UNKNOWN),
        (Rejected(DelegationRefusal.DENIED, "not found"), Fault.APPLICATION_UNKNOWN),
        (Rejected(ProcessRefusal.BAD_SECRET, "no file"), Fault.SECRET_MISSING),
        (Retryable(DelegationRefusal.FORGE_UNAVAILABLE, "limited"), Fault.UNREACHABLE),
        (Rejected(DelegationRefusal.REFUSED, "odd"), Fault.REFUSED),
    ],
)
def test_refused_exchange_tells_whether_we_are_known(
    error: Rejected | Retryable, fault: Fault | None
) -> None:
    assert judge_exchange(GITHUB, error).fault is fault


@pytest.mark.parametrize(
    ("seconds", "fault"),
    [(0, None), (-59, None), (61, Fault.CLOCK_WRONG), (-90, Fault.CLOCK_WRONG)],
)
def test_clock_may_differ_a_little(seconds: int, fault: Fault | None) -> None:
    date = format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)

    assert clock_of("GitHub", date, now=NOW).fault is fault


@pytest.mark.parametrize("date", ["", "yesterday", "Mon, 99 Nov 2026 12:00:00 GMT"])
def test_answer_without_a_time_is_no_fault(date: str) -> None:
    assert clock_of("GitHub", date, now=NOW).fault is None


@pytest.mark.parametrize(
    ("status", "body", "fault"),
    [
        (200, b'{"issuer": "https://login.example.org"}', None),
        (200, b'{"issuer": "https://login.example.org/"}', Fault.OTHER_ISSUER),
        (404, b"{}", Fault.REFUSED),
        (200, b"<html>", Fault.REFUSED),
        (200, b"[" * 100_000, Fault.REFUSED),
        (200, b'{"issuer": 7}', Fault.OTHER_ISSUER),
    ],
)
def test_provider_is_known_by_its_own_name(status: int, body: bytes, fault: Fault | None) -> None:
    assert judge_description("https://login.example.org", status, body).fault is fault


def test_provider_is_told_what_it_calls_itself_and_which_address_was_asked() -> None:
    issuer = "https://login.example.org/realms/x/"
    other = judge_description(issuer, 200, b'{"issuer": "https://login.example.org/realms/x"}')
    none = judge_description(issuer, 404, b"{}")

    assert "'https://login.example.org/realms/x'" in other.detail
    assert "https://login.example.org/realms/x/.well-known/openid-configuration" in none.detail


@pytest.mark.parametrize(
    ("issuer", "fault"),
    [
        ("http://login.example.org", Fault.NOT_ENCRYPTED),
        ("login.example.org", Fault.BAD_ADDRESS),
        ("https://user:made-up@login.example.org", Fault.BAD_ADDRESS),
    ],
)
async def test_provider_by_an_address_that_cannot_be_believed_is_not_asked(
    issuer: str, fault: Fault
) -> None:
    (found,) = [one async for one in check_provider(issuer, None, now=lambda: NOW)]

    assert found.fault is fault
    assert "made-up" not in repr(found)


@pytest.mark.parametrize(
    ("reason", "fault"),
    [
        ("nats: 'Authorization Violation'", Fault.KEY_REFUSED),
        ("not connected: no route to host", Fault.UNREACHABLE),
    ],
)
def test_bus_that_does_not_know_us_is_no_bus_that_is_away(reason: str, fault: Fault) -> None:
    assert judge_connection("tls://nats:4222", reason).fault is fault


@pytest.mark.parametrize(
    ("stored", "most", "fault"),
    [(0, 100, None), (80, 100, None), (81, 100, Fault.STREAM_FULL), (5, -1, None)],
)
async def test_stream_that_is_nearly_full_is_said(
    stored: int, most: int, fault: Fault | None
) -> None:
    state = StreamState(
        created=NOW, first_sequence=1, last_sequence=1, last_at=NOW, bytes_stored=stored,
        bytes_max=most,
    )  # fmt: skip
    answer: asyncio.Future[StreamState] = asyncio.get_running_loop().create_future()
    answer.set_result(state)

    assert (await judge_stream("PROMOTIONS", answer)).fault is fault


@pytest.mark.parametrize(
    ("reason", "fault"),
    [
        (BusRefusal.NO_STREAM, Fault.STREAM_MISSING),
        (BusRefusal.NO_MAJORITY, Fault.NO_MAJORITY),
        (BusRefusal.UNAVAILABLE, Fault.UNREACHABLE),
    ],
)
async def test_stream_that_cannot_be_asked_about_is_said(reason: BusRefusal, fault: Fault) -> None:
    answer: asyncio.Future[StreamState] = asyncio.get_running_loop().create_future()
    answer.set_exception(Retryable(reason, "PROMOTIONS"))

    assert (await judge_stream("PROMOTIONS", answer)).fault is fault


def test_rights_are_asked_for_each_account_by_its_own_name() -> None:
    ask = of_accounts("here")

    users = {ask(right).body["spec"]["user"] for right in RIGHTS}

    assert users == {
        f"system:serviceaccount:here:countersign-{s}" for s in ("watcher", "approval", "gateway")
    }


def test_service_asks_for_its_rights_in_no_name() -> None:
    assert all(set(of_ourselves(right).body["spec"]) == {"resourceAttributes"} for right in RIGHTS)


async def test_stream_that_a_user_may_not_ask_about_is_said_to_be_that() -> None:
    def refused() -> str:
        return 'nats: permissions violation for publish to "$js.api.stream.info.tokens"'

    async def asked() -> StreamState:
        raise Retryable(BusRefusal.UNAVAILABLE, "TimeoutError")

    of_it = await judge_stream("TOKENS", asked(), refused=refused)
    of_another = await judge_stream("PIPELINES", asked(), refused=refused)

    assert of_it.fault is Fault.PERMISSION_MISSING
    assert of_another.fault is Fault.UNREACHABLE
