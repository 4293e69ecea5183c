"""Redemption: who may ask, for what, how often, and who can read the answer."""

from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import nkeys
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from doubles.approval_house import Call, House, failed, opened, person, public_nkey, settle

from countersign.approval.assembly import Service
from countersign.approval.delegation.signatures import Writers, public_key_of, writers_in
from countersign.contracts import messages as m
from countersign.contracts.errors import Rejected

INBOX = "_INBOX_pr-writer.rpc.abc.1"


async def refused(house: House, service: Service, redemption: Any, call: Call | None = None) -> str:
    with pytest.raises(Rejected) as caught:
        await service.handlers.on_redeem(
            redemption.request, call or Call(reply=redemption.request.reply)
        )
    return caught.value.reason


async def test_redemption_gives_the_narrowed_token_to_the_holder_of_the_key(
    house: House, approval: Service
) -> None:
    await house.request()
    begun = await house.grant(approval)
    redemption = house.redemption(begun.approval_id)

    response = await house.redeem(approval, redemption)

    token = redemption.open(response)
    assert house.forge.tokens[token].repositories == ("shop/deploy",)
    assert response.forge_user is not None
    assert response.forge_user.login == "ada"
    assert token.encode() not in response.sealed


async def test_answer_does_not_open_with_another_key_or_in_another_context(
    house: House, approval: Service
) -> None:
    await house.request()
    begun = await house.grant(approval)
    redemption, other = (house.redemption(begun.approval_id) for _ in range(2))

    response = await house.redeem(approval, redemption)

    for wrong in (
        other,
        type(redemption)(redemption.request.model_copy(update={"attempt": 2}), redemption.key),
        type(redemption)(redemption.request, other.key),
    ):
        with pytest.raises(InvalidTag):
            wrong.open(response)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"signer": Ed25519PrivateKey.generate()}, "not_allowed"),
        ({"consent_digest": "0" * 64}, "not_allowed"),
        ({"promotion_id": "q" * 16}, "not_allowed"),
        ({"attempt": 2}, "not_allowed"),
        ({"approval_id": "other"}, "expired"),
        ({"replica": "approval-1"}, "bad_request"),
        ({"public_key": b"short"}, "bad_request"),
        ({"nonce": b"short"}, "bad_request"),
        ({"public_key": bytes(32)}, "bad_request"),
        ({"reply": "countersign-in.v1.promotion.requested.a.b.c.d"}, "not_allowed"),
        ({"reply": "_INBOX_gateway.rpc.abc.1"}, "not_allowed"),
        ({"reply": "_INBOX_pr-writer-2.rpc.abc.1"}, "not_allowed"),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value),
)
async def test_redemption_that_is_not_the_job_is_refused(
    house: House, approval: Service, changes: dict[str, Any], reason: str
) -> None:
    await house.request()
    begun = await house.grant(approval)
    redemption = house.redemption(**{"approval_id": begun.approval_id, **changes})

    assert await refused(house, approval, redemption) == reason


@pytest.mark.parametrize(
    ("age_s", "ok"),
    [(30, True), (31, False), (-30, True), (-31, False), (600, False), (-600, False)],
)
async def test_redemption_is_fresh_for_thirty_seconds(
    house: House, approval: Service, age_s: int, *, ok: bool
) -> None:
    await house.request()
    begun = await house.grant(approval)
    signed_at = house.clock() - timedelta(seconds=age_s)
    redemption = house.redemption(begun.approval_id, signed_at=signed_at)

    if ok:
        assert (await house.redeem(approval, redemption)).sealed
    else:
        assert await refused(house, approval, redemption) == "bad_request"


async def test_field_that_was_changed_after_signing_is_refused(
    house: House, approval: Service
) -> None:
    await house.request()
    begun = await house.grant(approval)
    redemption = house.redemption(begun.approval_id)
    other = house.redemption(begun.approval_id).request.public_key
    forged = redemption.request.model_copy(update={"public_key": other})

    assert await refused(house, approval, type(redemption)(forged, redemption.key)) == "not_allowed"


async def test_answer_goes_nowhere_but_where_the_signature_says(
    house: House, approval: Service
) -> None:
    await house.request()
    begun = await house.grant(approval)
    redemption = house.redemption(begun.approval_id)

    elsewhere = Call(reply="_INBOX_pr-writer.rpc.abc.2")
    assert await refused(house, approval, redemption, elsewhere) == "not_allowed"
    by_another = Call(service="gateway", reply=INBOX)
    assert await refused(house, approval, redemption, by_another) == "not_allowed"


async def test_replayed_redemption_is_refused(house: House, approval: Service) -> None:
    await house.request()
    begun = await house.grant(approval)
    redemption = house.redemption(begun.approval_id)
    await house.redeem(approval, redemption)

    assert await refused(house, approval, redemption) == "replay"


async def test_nonce_is_used_once_and_so_is_a_key(house: House, approval: Service) -> None:
    await house.request()
    begun = await house.grant(approval)
    first = house.redemption(begun.approval_id)
    await house.redeem(approval, first)

    same_nonce = house.redemption(begun.approval_id, nonce=first.request.nonce)
    same_key = house.redemption(begun.approval_id, public_key=first.request.public_key)

    assert await refused(house, approval, same_nonce) == "replay"
    assert await refused(house, approval, same_key) == "replay"


async def test_job_whose_answer_was_lost_may_redeem_twice_more_each_time_a_fresh_token(
    house: House, approval: Service
) -> None:
    await house.request()
    begun = await house.grant(approval)

    tokens = []
    for _ in range(3):
        redemption = house.redemption(begun.approval_id)
        tokens.append(redemption.open(await house.redeem(approval, redemption)))

    assert len(set(tokens)) == 3
    assert await refused(house, approval, house.redemption(begun.approval_id)) == "limit"


@pytest.mark.parametrize("outcome", [opened(), failed(m.FailureReason.CONFLICT)])
async def test_outcome_ends_every_token_that_was_handed_out(
    house: House, approval: Service, outcome: m.PullRequestOpened
) -> None:
    await house.request()
    begun = await house.grant(approval)
    for _ in range(2):
        await house.redeem(approval, house.redemption(begun.approval_id))

    await house.stream.publish(outcome, message_id="outcome")
    await settle(approval)

    assert [house.forge.tokens[t].repositories for t in house.forge.living] == [None]
    events = house.stream.of(m.ApprovalRevoked)
    assert [(e.reason, e.outcome) for e in events] == [("used", m.RevocationOutcome.REVOKED)] * 2
    assert await refused(house, approval, house.redemption(begun.approval_id)) == "expired"


async def test_redemption_after_the_vaults_minutes_is_refused(
    house: House, approval: Service
) -> None:
    await house.request()
    begun = await house.grant(approval)
    house.clock.pass_(minutes=15)

    assert await refused(house, approval, house.redemption(begun.approval_id)) == "expired"


async def test_clock_that_steps_back_gives_a_delegation_no_more_time(
    house: House, approval: Service
) -> None:
    await house.request()
    begun = await house.grant(approval)
    house.clock.step(minutes=-10)
    house.clock.pass_(minutes=14)

    assert (await house.redeem(approval, house.redemption(begun.approval_id))).sealed
    house.clock.pass_(minutes=1)
    assert await refused(house, approval, house.redemption(begun.approval_id)) == "expired"


async def test_redemption_before_enough_people_consented_is_refused(
    house: House, approval: Service
) -> None:
    await house.request(approvals=2)
    begun = await house.grant(approval)

    assert await refused(house, approval, house.redemption(begun.approval_id)) == "not_waiting"


async def test_person_who_lost_the_right_to_promote_meanwhile_is_refused(
    house: House, approval: Service
) -> None:
    await house.request()
    begun = await house.grant(approval)
    house.authorizer.refused.add("ada")

    assert await refused(house, approval, house.redemption(begun.approval_id)) == "not_allowed"


async def test_consent_to_one_attempt_is_none_to_the_next(house: House, approval: Service) -> None:
    await house.request()
    begun = await house.grant(approval)
    await house.stream.publish(failed(m.FailureReason.CONFLICT), message_id="failed")
    await approval.handlers.on_retry(
        m.RetryRequest(promotion_id="p" * 16, person=person("ada")), Call("gateway")
    )

    redemption = house.redemption(begun.approval_id, attempt=2)

    assert await refused(house, approval, redemption) == "expired"


def test_public_nkey_is_read_as_the_nats_library_writes_it() -> None:
    pair = nkeys.from_seed(nkeys.encode_seed(bytes(range(32)), nkeys.PREFIX_BYTE_USER))

    key = public_key_of(pair.public_key.decode())

    key.verify(pair.sign(b"x"), b"x")


@pytest.mark.parametrize("change", ["truncated", "checksum", "account", "empty"])
def test_text_that_is_no_users_nkey_is_refused(change: str) -> None:
    text = public_nkey(Ed25519PrivateKey.generate())
    wrong = {
        "truncated": text[:-4],
        "checksum": text[:-3] + ("AAA" if not text.endswith("AAA") else "BBB"),
        "account": "A" + text[1:],
        "empty": "",
    }[change]

    with pytest.raises(ValueError, match="public nkey"):
        public_key_of(wrong)


async def test_key_of_a_writer_that_was_replaced_counts_at_the_next_redemption(
    house: House, tmp_path: Path
) -> None:
    first, second = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    listed = tmp_path / "writer-nkeys"
    writers = Writers(partial(writers_in, listed))
    by_first, by_second = (
        house.redemption("a1", signer=signer).request for signer in (first, second)
    )

    listed.write_text(public_nkey(first))
    writers.refuse_forged(by_first)
    with pytest.raises(Rejected, match="not_allowed"):
        writers.refuse_forged(by_second)

    listed.write_text(f"{public_nkey(second)}\n")
    writers.refuse_forged(by_second)
    with pytest.raises(Rejected, match="not_allowed"):
        writers.refuse_forged(by_first)

    for text in ("", "nobody", ",".join([public_nkey(first)] * 17)):
        listed.write_text(text)
        with pytest.raises(Rejected, match="not_allowed"):
            writers.refuse_forged(by_first)
    listed.unlink()
    with pytest.raises(Rejected, match="not_allowed"):
        writers.refuse_forged(by_first)


@pytest.mark.parametrize("key", [bytes(32), b"\x01" + bytes(31)], ids=["zero", "one"])
async def test_key_of_zeros_is_refused(house: House, approval: Service, key: bytes) -> None:
    """Sealed to a point of small order it would open for everybody (CVE-2023-46129 of NATS)."""
    await house.request()
    begun = await house.grant(approval)

    with pytest.raises(Rejected, match="bad_request"):
        await house.redeem(approval, house.redemption(begun.approval_id, public_key=key))
