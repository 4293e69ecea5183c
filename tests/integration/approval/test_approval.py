"""The service as a process: the whole way of a delegation, and the end of every token."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from integration.approval.conftest import CLIENT_SECRET
from opentelemetry import trace

from countersign.contracts import messages as m
from countersign.contracts.errors import Retryable
from countersign.contracts.identity import consent_digest
from countersign.local.forge.state.model import TokenKind

TRACE_ID = 0x0AF7651916CD43DD8448EB211C80319C


async def sign_in(
    site: Any, begun: m.BeginResponse, *, login: str = "ada", deny: bool = False
) -> dict[str, str]:
    """What the browser brings back from the forge."""
    location = await site.forge.authorize(begun.authorize_url, login, deny=deny)
    assert location.startswith("http://127.0.0.1:8080/oauth/callback/forge?")
    query = dict(parse_qsl(urlsplit(location).query))
    return {name: query[name] for name in ("code", "error", "state", "iss") if name in query}


def living(site: Any, login: str = "ada") -> int:
    return site.forge.living_tokens(login).count(TokenKind.APP_USER)


async def publish(site: Any, event: m.PromotionRequested) -> None:
    """As a watcher does whose trace is sampled."""
    name = f"{event.promotion.promotion_id}-requested"
    context = trace.SpanContext(TRACE_ID, 7, is_remote=False, trace_flags=trace.TraceFlags(1))
    with trace.use_span(trace.NonRecordingSpan(context)):
        await site.watcher.publish(event, message_id=name, create_once=True)


async def grant(site: Any, event: m.PromotionRequested) -> m.BeginResponse:
    await publish(site, event)
    begun = await site.begin(event.promotion.promotion_id)
    assert begun.problem is None
    done = await site.complete(begun, await sign_in(site, begun))
    assert done.problem is None, done.problem
    return begun


async def test_delegation_from_consent_to_its_end(site: Any) -> None:
    async with site.start() as process:
        event = site.requested()
        begun = await grant(site, event)
        (granted,) = await site.news.wait_for(m.ApprovalGranted)
        assert granted.message.forge_user.login == "ada"
        assert granted.message.consent_digest == consent_digest(event)
        assert living(site) == 2

        response, opened = await site.redeem(begun, event)
        assert response.problem is None, response.problem
        child = opened()
        assert child.startswith("ghu_")

        pull_request = m.PullRequestRef(
            origin=site.forge.origin, owner="shop", repository="deploy", number=1
        )
        await site.writer.publish(
            m.PullRequestOpened(
                promotion=event.promotion,
                pull_request=pull_request,
                approval_id=begun.approval_id,
                opened_at=datetime.now(UTC),
            ),
            message_id="opened",
        )
        (revoked,) = await site.news.wait_for(m.ApprovalRevoked)
        assert revoked.message.outcome is m.RevocationOutcome.REVOKED
        assert revoked.message.reason == "used"
        assert living(site) == 1

        assert await process.stop() == 0

        assert living(site) == 0
        log = process.log.read_text()
        seen = [child[i : i + 8] for i in range(4, len(child) - 8) if child[i : i + 8] in log]
        assert seen == []
        assert "x7-of-nobody" not in log
        assert "delegation.redeemed" in log


async def test_all_events_of_a_promotion_are_in_its_trace(site: Any) -> None:
    async with site.start():
        await grant(site, site.requested())
        (requested,) = await site.news.wait_for(m.PromotionRequested)
        (begun,) = await site.news.wait_for(m.ApprovalBegun)
        (granted,) = await site.news.wait_for(m.ApprovalGranted)

        traces = {r.trace["traceparent"].split("-")[1] for r in (requested, begun, granted)}
        assert traces == {f"{TRACE_ID:032x}"}


async def test_second_consent_asks_nobody_again(site: Any) -> None:
    async with site.start():
        await grant(site, site.requested())
        other = site.requested("q" * 16)
        await publish(site, other)

        begun = await site.begin("q" * 16)
        response, opened = await site.redeem(begun, other)

        assert begun.granted
        assert response.problem is None
        assert opened().startswith("ghu_")


async def test_denial_at_the_forge_leaves_the_promotion_waiting(site: Any) -> None:
    async with site.start():
        await publish(site, site.requested())
        begun = await site.begin()

        done = await site.complete(begun, await sign_in(site, begun, deny=True))

        assert done.problem.code == "denied"
        (expired,) = await site.news.wait_for(m.ApprovalExpired)
        assert expired.message.cause is m.ExpiryCause.DENIED


async def test_person_who_cannot_write_is_told_so(site: Any) -> None:
    async with site.start():
        await publish(site, site.requested())
        begun = await site.begin()

        done = await site.complete(begun, await sign_in(site, begun, login="grace"))
        await site.news.wait_for(m.ApprovalRevoked)

        assert done.problem.code == "cannot_write"
        assert living(site, "grace") == 0


async def test_token_of_an_oauth_app_that_never_expires_is_refused_and_revoked(site: Any) -> None:
    async with site.start(client_id="Ov1.made-up"):
        await publish(site, site.requested())
        begun = await site.begin()

        done = await site.complete(begun, await sign_in(site, begun))
        (revoked,) = await site.news.wait_for(m.ApprovalRevoked)

        assert done.problem.code == "token_too_long_lived"
        assert (revoked.message.reason, revoked.message.outcome) == (
            "refused",
            m.RevocationOutcome.REVOKED,
        )
        assert site.forge.living_tokens("ada") == []


async def test_replayed_and_foreign_states_are_refused(site: Any) -> None:
    async with site.start():
        await publish(site, site.requested())
        begun = await site.begin()
        back = await sign_in(site, begun)
        request = m.CompleteRequest(
            replica=begun.replica, session="6" * 64, person=m.Person(id="eve"), **back
        )

        stolen = await site.gateway.request("approval.complete", request, replica=begun.replica)
        done = await site.complete(begun, back)
        again = await site.complete(begun, back)

        assert stolen.problem.code == "session_mismatch"
        assert done.problem is None
        assert again.problem.code == "state_mismatch"


async def test_termination_revokes_everything_and_says_what_is_lost(site: Any) -> None:
    async with site.start() as process:
        begun = await grant(site, site.requested())
        await publish(site, site.requested("q" * 16))
        assert (await site.begin("q" * 16)).granted
        assert living(site) == 3

        assert await process.stop() == 0

        assert living(site) == 0
        lost = await site.news.wait_for(m.ApprovalLost, count=2)
        assert begun.approval_id in {r.message.approval_id for r in lost}
        revoked = await site.news.wait_for(m.ApprovalRevoked, count=3)
        assert {r.message.reason for r in revoked} == {"shut down"}


async def test_approvals_of_a_killed_replica_are_lost_within_thirty_seconds(site: Any) -> None:
    async with site.start("approval-0") as zero:
        begun = await grant(site, site.requested())
        async with site.start("approval-1"):
            await zero.kill()
            killed_at = asyncio.get_running_loop().time()

            (lost,) = await site.news.wait_for(m.ApprovalLost)

            assert asyncio.get_running_loop().time() - killed_at < 30
            assert lost.message.approval_id == begun.approval_id
            with pytest.raises(Retryable, match="no_responder"):
                await site.redeem(begun, site.requested())
            again = await site.begin()
            assert again.replica == "approval-1"
            done = await site.complete(again, await sign_in(site, again))
            assert done.problem is None


async def test_restarted_process_of_the_same_name_loses_its_forerunners_approvals(
    site: Any,
) -> None:
    async with site.start() as before:
        begun = await grant(site, site.requested())
        await before.kill()
    async with site.start():
        (lost,) = await site.news.wait_for(m.ApprovalLost)

        assert lost.message.approval_id == begun.approval_id


async def test_process_with_bad_settings_says_what_is_wrong_and_ends(
    site: Any, tmp_path: Path
) -> None:
    nobody = tmp_path / "nobody"
    nobody.write_text("nobody")
    with pytest.raises(AssertionError, match="COUNTERSIGN_WRITER_NKEYS_FILE"):
        async with site.start(COUNTERSIGN_WRITER_NKEYS_FILE=str(nobody)):
            pass


async def test_process_leaves_no_core_file(site: Any) -> None:
    async with site.start() as process:
        assert core_limits(process.process.pid) == ["0", "0"]


def core_limits(pid: int) -> list[str]:
    """Soft and hard limit of a core file's size."""
    rows = Path(f"/proc/{pid}/limits").read_text().splitlines()
    (row,) = [row for row in rows if row.startswith("Max core file size")]
    return row.split()[4:6]


async def test_code_typed_at_the_forge_delegates_as_a_sign_in_does(site: Any) -> None:
    async with site.start(device_flow=True) as process:
        event = site.requested()
        await publish(site, event)
        begun = await site.begin(device=True)
        assert begun.problem is None
        assert begun.user_code is not None

        said = await site.forge.type_code(begun.user_code.url, begun.user_code.code, "ada")
        (granted,) = await site.news.wait_for(m.ApprovalGranted)
        (heard,) = await site.news.wait_for(m.ApprovalBegun)
        response, opened = await site.redeem(begun, event)

        assert "Your device is connected" in said
        assert granted.message.approval_id == begun.approval_id
        assert granted.message.forge_user.login == "ada"
        assert granted.message.consent_digest == consent_digest(event)
        assert granted.message.narrowed
        assert heard.message.device
        assert response.problem is None
        assert opened().startswith("ghu_")
        assert await process.stop() == 0
        assert living(site) == 0
        log = process.log.read_text()
        assert begun.user_code.code not in log
        assert opened()[4:20] not in log


async def test_code_that_is_declined_leaves_the_promotion_waiting(site: Any) -> None:
    async with site.start(device_flow=True):
        await publish(site, site.requested())
        begun = await site.begin(device=True)
        code = begun.user_code

        await site.forge.type_code(code.url, code.code, "ada", deny=True)
        (expired,) = await site.news.wait_for(m.ApprovalExpired)

        assert expired.message.cause is m.ExpiryCause.DENIED
        assert living(site) == 0


async def test_nobody_signs_in_by_a_code_unless_the_administrator_wants_it(site: Any) -> None:
    async with site.start():
        await publish(site, site.requested())

        begun = await site.begin(device=True)

        assert begun.problem.code == "device_flow_off"
        assert begun.user_code is None
        assert site.news.received[-1].message.promotion == site.requested().promotion


async def test_application_without_device_flow_is_told_to_the_person(site: Any) -> None:
    async with site.start(device_flow=True, client_id="Ov1.made-up"):
        await publish(site, site.requested())

        begun = await site.begin(device=True)

        assert begun.problem.code == "no_client"
        assert "device_flow_disabled" in begun.problem.message


async def test_application_that_the_forge_does_not_know_is_told_at_the_start(site: Any) -> None:
    async with site.start(client_id="Iv1.nobody") as process:
        await process.until_logged('"start.fault"')

        faults = [
            line
            for line in map(json.loads, process.log.read_text().splitlines())
            if line["event"] == "start.fault"
        ]
        assert await process.stop() == 0

    (told,) = faults
    assert (told["subject"], told["name"]) == ("forge", "Forge")
    assert told["fault"] == "application_unknown"
    assert told["advice"]
    assert CLIENT_SECRET not in process.log.read_text()


async def test_sound_start_complains_of_nothing(site: Any) -> None:
    async with site.start() as process:
        await process.until_logged('"start.sound"')
        assert await process.stop() == 0

    assert any("access_token" in str(one) for one in site.forge.requests())
    assert '"start.fault"' not in process.log.read_text()
