"""When a forge is asked, what is said, and when nothing is sent at all."""

from dataclasses import replace
from datetime import timedelta

import pytest
from doubles.auditing import (
    DEAD,
    KEY,
    ORIGIN,
    START,
    VALID,
    Service,
    build,
    observed,
    restarted,
    use,
    used,
)

from countersign.auditor.refusals import CheckRefusal
from countersign.contracts.errors import Rejected
from countersign.contracts.forge_list import Forge, ForgeList
from countersign.contracts.messages import (
    PipelineDeleted,
    PipelineRef,
    SecretRef,
    TokenChangeKind,
    TokenKind,
    TokenReason,
    TokenUseOutcome,
    TokenValidity,
)
from countersign.dialects.inspection import unanswered

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


@pytest.fixture
def service() -> Service:
    return build()


async def test_named_credential_is_checked_at_once(service: Service) -> None:
    service.hear(observed(use()))

    await service.schedule.step()

    event = service.bus.last
    assert service.prober.asked == [ORIGIN]
    assert event.validity is TokenValidity.VALID
    assert event.kind is TokenKind.CLASSIC
    assert event.owner == VALID.owner
    assert event.checked_at == START
    assert event.next_check_at == START + HOUR
    assert event.uses == (use(),)


async def test_nothing_is_said_again_while_nothing_changes(service: Service) -> None:
    service.hear(observed(use()))
    await service.schedule.step()

    service.hear(observed(use()))
    await service.after(MINUTE)

    assert len(service.bus.events) == 1
    assert len(service.prober.asked) == 1


async def test_scheduled_check_is_said_though_nothing_changed(service: Service) -> None:
    service.hear(observed(use()))
    await service.schedule.step()

    await service.after(HOUR)

    assert len(service.prober.asked) == 2
    assert len(set(service.bus.ids)) == 2
    assert service.bus.last.checked_at == START + HOUR


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (use(origin="https://evil.example"), "forge_not_listed"),
        (use(owner="others"), "repository_not_allowed"),
    ],
)
async def test_nothing_is_sent_where_the_list_does_not_allow_it(
    service: Service, wrong: object, code: str
) -> None:
    service.hear(observed(wrong))  # type: ignore[arg-type]

    await service.schedule.step()

    assert service.prober.asked == []
    assert service.bus.codes[0] == code
    assert service.bus.last.validity is TokenValidity.UNKNOWN


async def test_nothing_is_sent_where_the_entry_names_no_repositories() -> None:
    service = build(forges=ForgeList(forges=(Forge(name="Git", kind="github", origin=ORIGIN),)))
    service.hear(observed(use()))

    await service.schedule.step()

    assert service.prober.asked == []
    assert "repository_not_allowed" in service.bus.codes


@pytest.mark.parametrize("outcome", [TokenUseOutcome.ACCEPTED, TokenUseOutcome.REFUSED])
async def test_token_that_is_used_is_looked_at_though_its_time_has_not_come(
    service: Service, outcome: TokenUseOutcome
) -> None:
    service.hear(observed(use()))
    await service.schedule.step()
    service.secrets.renew("ghp_madeup9876543210", at=service.now)
    service.secrets.fresh = False

    await service.schedule.step()
    before = len(service.prober.asked)
    service.hear(used(service.now, outcome))
    await service.schedule.step()

    assert (before, len(service.prober.asked)) == (1, 2)


async def test_dead_token_is_asked_about_once_an_hour_however_often_it_is_refused(
    service: Service,
) -> None:
    service.prober.answer = DEAD
    service.hear(observed(use()))
    await service.schedule.step()

    for _ in range(59):
        service.hear(used(service.now, TokenUseOutcome.REFUSED))
        await service.after(MINUTE)
    within = len(service.prober.asked)
    await service.after(MINUTE)
    await service.after(6 * SECOND)

    assert within == 1
    assert len(service.prober.asked) == 2
    assert service.bus.last.validity is TokenValidity.INVALID


async def test_dead_token_is_not_asked_about_again_after_a_restart(service: Service) -> None:
    service.prober.answer = DEAD
    service.hear(observed(use()))
    await service.schedule.step()
    service.clock[0] += 10 * MINUTE

    after = restarted(service)
    await after.schedule.step()

    assert after.prober.asked == []
    assert after.bus.events == []


async def test_valid_token_keeps_its_plan_over_a_restart(service: Service) -> None:
    service.hear(observed(use()))
    await service.schedule.step()
    service.clock[0] += 10 * MINUTE

    after = restarted(service)
    await after.schedule.step()
    none_yet = list(after.prober.asked)
    await after.after(50 * MINUTE)

    assert none_yet == []
    assert after.prober.asked == [ORIGIN]


async def test_refusal_in_use_leads_to_a_check_at_once(service: Service) -> None:
    service.hear(observed(use()))
    await service.schedule.step()
    service.prober.answer = DEAD
    service.clock[0] += 20 * MINUTE

    service.hear(used(service.now, TokenUseOutcome.REFUSED))
    await service.schedule.step()

    assert len(service.prober.asked) == 2
    assert service.bus.last.validity is TokenValidity.INVALID


async def test_accepted_use_is_said_to_the_second_without_asking_the_forge(
    service: Service,
) -> None:
    service.hear(observed(use()))
    await service.schedule.step()

    service.hear(used(START + 7 * SECOND))
    await service.after(8 * SECOND)

    assert service.bus.last.last_used_by_us_at == START + 7 * SECOND
    assert service.bus.last.checked_at == START
    assert len(service.prober.asked) == 1


async def test_renewed_secret_is_checked_at_once_even_after_a_dead_one(service: Service) -> None:
    service.prober.answer = DEAD
    service.hear(observed(use()))
    await service.schedule.step()
    service.prober.answer = VALID

    service.secrets.renew("ghp_madeup_another_one", at=START + SECOND)
    await service.after(2 * SECOND)

    assert len(service.prober.asked) == 2
    assert service.bus.last.validity is TokenValidity.VALID


async def test_dead_token_that_is_written_again_is_not_asked_about_again(
    service: Service,
) -> None:
    service.prober.answer = DEAD
    service.hear(observed(use()))
    await service.schedule.step()

    service.secrets.reading = replace(service.secrets.reading, changed_at=START + MINUTE)
    service.secrets.fresh = True
    await service.after(2 * MINUTE)

    assert len(service.prober.asked) == 1


async def test_missing_secret_is_an_error_and_comes_back(service: Service) -> None:
    service.hear(observed(use()))
    await service.schedule.step()

    service.secrets.remove()
    await service.after(2 * SECOND)
    missing = service.bus.last
    service.secrets.renew("ghp_madeup_another_one", at=START + 3 * SECOND)
    await service.after(2 * SECOND)

    assert missing.validity is TokenValidity.MISSING
    assert missing.findings[0].code == "secret_missing"
    assert service.bus.last.validity is TokenValidity.VALID


async def test_text_that_is_no_token_is_not_sent(service: Service) -> None:
    service.secrets.renew("two words\nand a line", at=START)
    service.hear(observed(use()))

    await service.schedule.step()

    assert service.prober.asked == []
    assert "token_malformed" in service.bus.codes


async def test_rate_limit_puts_off_the_next_question(service: Service) -> None:
    limited = unanswered(TokenKind.CLASSIC, TokenReason.LIMITED, rest_until=START + 3 * HOUR)
    service.prober.answer = limited
    service.hear(observed(use()))
    await service.schedule.step()

    service.hear(used(START + MINUTE, TokenUseOutcome.REFUSED))
    await service.after(2 * HOUR)
    before = len(service.prober.asked)
    await service.after(HOUR)

    assert before == 1
    assert len(service.prober.asked) == 2


async def test_forge_that_cannot_answer_is_asked_again_with_growing_pauses(
    service: Service,
) -> None:
    service.prober.answer = unanswered(TokenKind.CLASSIC, TokenReason.UNAVAILABLE)
    service.hear(observed(use()))
    pauses = []

    for _ in range(4):
        await service.schedule.step()
        assert service.bus.last.next_check_at is not None
        pauses.append(service.bus.last.next_check_at - service.now)
        service.clock[0] = service.bus.last.next_check_at

    assert pauses == [MINUTE, 2 * MINUTE, 4 * MINUTE, 8 * MINUTE]


async def test_owner_stays_known_while_the_forge_cannot_answer(service: Service) -> None:
    service.hear(observed(use()))
    await service.schedule.step()

    service.prober.answer = unanswered(TokenKind.CLASSIC, TokenReason.UNAVAILABLE)
    await service.after(HOUR)

    assert service.bus.last.validity is TokenValidity.UNKNOWN
    assert service.bus.last.owner == VALID.owner
    assert "not_known" in service.bus.codes


async def test_check_comes_when_the_token_expires(service: Service) -> None:
    ends = START + 20 * MINUTE
    service.prober.answer = replace(VALID, expires_at=ends)

    service.hear(observed(use()))
    await service.schedule.step()

    assert service.bus.last.next_check_at == ends


async def test_credential_that_nobody_names_any_more_is_said_to_be_so_once(
    service: Service,
) -> None:
    service.hear(observed(use()))
    await service.schedule.step()

    service.hear(PipelineDeleted(pipeline=PipelineRef(namespace="apps", name="podinfo", uid="u")))
    await service.after(SECOND)
    await service.after(2 * HOUR)

    assert service.bus.last.uses == ()
    assert service.bus.last.credential == KEY.ref
    assert len(service.bus.events) == 2


async def test_check_that_could_not_be_published_is_said_later_without_asking_again(
    service: Service,
) -> None:
    service.bus.away = True
    service.hear(observed(use()))
    await service.schedule.step()

    service.bus.away = False
    await service.after(30 * SECOND)

    assert service.bus.last.validity is TokenValidity.VALID
    assert len(service.prober.asked) == 1


async def test_check_of_another_replica_is_taken_over(service: Service) -> None:
    service.hear(observed(use()))
    await service.schedule.step()
    other = service.bus.last.model_copy(
        update={"checked_at": START + 30 * MINUTE, "next_check_at": START + 90 * MINUTE}
    )

    service.clock[0] += 31 * MINUTE
    service.hear(other)
    await service.schedule.step()
    await service.after(30 * MINUTE)

    assert len(service.prober.asked) == 1


async def test_token_is_in_no_event(service: Service) -> None:
    service.hear(observed(use()))

    await service.schedule.step()

    body = service.bus.last.to_json().decode()
    assert "madeup" not in body
    assert "first" not in body


async def test_last_use_that_the_forge_tells_is_told_further(service: Service) -> None:
    used_at = START - timedelta(days=3)
    service.prober.answer = replace(VALID, last_used_at=used_at)

    service.hear(observed(use()))
    await service.schedule.step()

    assert service.bus.last.last_used_reported_at == used_at


async def test_token_is_not_looked_at_before_its_forge_is_known(service: Service) -> None:
    service.hear(observed(use(origin="https://other.example")))
    await service.schedule.step()

    assert service.prober.asked == []
    assert service.bus.last.kind is TokenKind.UNSPECIFIED
    assert service.bus.last.why is TokenReason.NOT_SENT


async def test_same_token_in_two_secrets_is_noticed_at_both_and_ends(service: Service) -> None:
    other = SecretRef(namespace="apps", name="promotion-too")
    service.hear(observed(use(), use().model_copy(update={"secret": other})))

    await service.schedule.step()
    await service.after(SECOND)

    last = {event.credential.name: event for event in service.bus.events}
    assert last["promotion"].shared_with == (other,)
    assert last["promotion-too"].shared_with == (KEY.ref,)
    assert all("shared_between_secrets" in {f.code for f in e.findings} for e in last.values())

    service.hear(observed(use()))
    await service.after(SECOND)
    await service.after(SECOND)
    assert service.bus.last.credential == KEY.ref
    assert service.bus.last.shared_with == ()


async def test_mark_of_a_token_is_in_no_event(service: Service) -> None:
    """A mark could be tested against guesses by whoever gets hold of the key."""
    service.secrets.renew("ghp_madeup0123456789", at=START)
    service.hear(observed(use()))
    await service.schedule.step()

    assert service.secrets.reading.mark.encode() not in service.bus.last.to_json()


async def test_check_that_somebody_wants_is_made_before_its_time(service: Service) -> None:
    service.hear(observed(use()))
    await service.schedule.step()
    service.clock[0] += 2 * MINUTE
    service.prober.answer = DEAD

    assert await service.schedule.check_now(KEY) is None
    assert service.bus.last.validity is TokenValidity.INVALID

    service.clock[0] += SECOND
    assert await service.schedule.check_now(KEY) == service.now + HOUR - SECOND
    assert len(service.prober.asked) == 2


async def test_check_of_what_nobody_names_is_refused(service: Service) -> None:
    with pytest.raises(Rejected) as caught:
        await service.schedule.check_now(KEY)

    assert caught.value.reason is CheckRefusal.NOT_NAMED


async def test_forge_that_rests_is_not_asked_and_what_is_known_stays(service: Service) -> None:
    service.hear(observed(use()))
    await service.schedule.step()
    service.prober.resting_until = START + 3 * HOUR

    await service.after(HOUR)

    assert len(service.prober.asked) == 1
    assert service.bus.last.validity is TokenValidity.VALID
    assert service.bus.last.next_check_at == START + 3 * HOUR


async def test_refusal_of_a_right_in_use_leads_to_a_check_at_once(service: Service) -> None:
    service.hear(observed(use()))
    await service.schedule.step()

    service.hear(used(START + 2 * MINUTE, TokenUseOutcome.FORBIDDEN))
    await service.after(2 * MINUTE)

    assert len(service.prober.asked) == 2


async def test_history_goes_on_over_a_restart(service: Service) -> None:
    service.hear(observed(use()))
    await service.schedule.step()
    after = restarted(service)
    after.prober.answer = DEAD

    await after.after(HOUR)

    kinds = [change.kind for change in after.bus.last.history]
    assert kinds == [TokenChangeKind.FIRST_CHECKED, TokenChangeKind.VALIDITY]


async def test_question_carries_the_last_answer_and_the_owners(service: Service) -> None:
    service.hear(observed(use()))
    await service.schedule.step()
    await service.after(HOUR)

    first, second = service.prober.inquiries
    assert (first.before, second.before) == (None, VALID)
    assert second.owners == ("acme",)
    assert second.account == "7"
