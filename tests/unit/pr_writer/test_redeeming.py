"""A delegation opens for the job it was redeemed for, and for nothing else."""

import base64
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.bindings._rust import openssl as rust_openssl
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from countersign.contracts.consent.redemption import canonical_bytes, hpke_info
from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.message import Message
from countersign.contracts.messages import Problem, RedeemRequest, RedeemResponse
from countersign.pr_writer.executor import redeeming
from countersign.pr_writer.jobs.model import DELEGATED_TRIES_MAX, OpenJob
from countersign.pr_writer.parent.signing import SigningRedeemer, signing_key

TOKEN = "made-up-token"
AT = datetime(2026, 1, 1, tzinfo=UTC)


def job() -> OpenJob:
    return OpenJob.model_validate(
        {
            "kind": "open",
            "request": {
                "promotion": {
                    "promotionId": "p1",
                    "pipeline": {"namespace": "ns", "name": "app", "uid": "u"},
                    "environment": "prod",
                },
                "app": {"kind": "HelmRelease", "name": "app"},
                "fromEnvironment": "staging",
                "content": {"identity": "1", "revision": {"recorded": "1"}},
                "destination": {
                    "origin": "https://forge.example",
                    "owner": "o",
                    "repository": "r",
                    "baseBranch": "main",
                },
                "markerKey": "ns:app:prod",
            },
            "attempt": 1,
            "access": {
                "mode": "CREDENTIAL_MODE_DELEGATED",
                "forge": {"name": "F", "kind": "github", "origin": "https://forge.example"},
            },
            "consent": {"approval_id": "a1", "digest": "0" * 64, "replica": "r1"},
        }
    )


def request(public_key: bytes) -> RedeemRequest:
    return RedeemRequest(
        replica="r1",
        approval_id="a1",
        promotion_id="p1",
        attempt=1,
        consent_digest="0" * 64,
        public_key=public_key,
        nonce=b"n" * 16,
        signed_at=AT,
        reply="_INBOX_pr-writer.x",
        signature=b"s",
    )


def seal(made: RedeemRequest, public_key: bytes) -> bytes:
    key = X25519PublicKey.from_public_bytes(public_key)
    return redeeming.SUITE.encrypt(TOKEN.encode(), key, hpke_info(made))


def test_delegation_opens_with_the_key_made_for_it() -> None:
    key = redeeming.make_key()
    public = redeeming.public_bytes(key)
    made = request(public)

    token = redeeming.open_sealed(seal(made, public), key=key, request=made, job=job())

    assert token.reveal() == TOKEN


@pytest.mark.parametrize(
    "changes",
    [
        {"approval_id": "a2"},
        {"promotion_id": "p2"},
        {"attempt": 2},
        {"consent_digest": "1" * 64},
        {"public_key": b"k" * 32},
        {"nonce": b"m" * 16},
        {"reply": "elsewhere"},
    ],
)
def test_delegation_sealed_for_anything_else_does_not_open(changes: dict[str, object]) -> None:
    key = redeeming.make_key()
    public = redeeming.public_bytes(key)
    sealed = seal(request(public).model_copy(update=changes), public)

    with pytest.raises(Rejected, match="consent_mismatch"):
        redeeming.open_sealed(sealed, key=key, request=request(public), job=job())
    with pytest.raises(Rejected, match="consent_mismatch"):
        redeeming.open_sealed(
            sealed,
            key=redeeming.make_key(),
            request=request(public).model_copy(update=changes),
            job=job(),
        )


class Bus:
    """Answers what it is told."""

    def __init__(self, response: Message) -> None:
        self.response = response
        self.asked: list[RedeemRequest] = []

    def reply_subject(self) -> str:
        return "_INBOX_pr-writer.fresh"

    async def request(
        self, name: str, request: Message, *, replica: str, timeout_s: float, reply: str
    ) -> Message:
        assert isinstance(request, RedeemRequest)
        assert (name, replica, reply) == ("approval.redeem", "r1", request.reply)
        assert timeout_s > 0
        self.asked.append(request)
        return self.response


async def test_redemption_is_signed_over_all_of_its_fields() -> None:
    key, bus = Ed25519PrivateKey.generate(), Bus(RedeemResponse(sealed=b"x"))
    redeemer = SigningRedeemer(bus, key=lambda: key, clock=lambda: AT, random_bytes=os.urandom)

    made, sealed = await redeemer.redeem(job(), public_key=b"k" * 32)

    assert sealed == b"x"
    key.public_key().verify(made.signature, canonical_bytes(made))
    with pytest.raises(InvalidSignature):
        key.public_key().verify(
            made.signature, canonical_bytes(made.model_copy(update={"reply": "elsewhere"}))
        )


def redeemer_of(bus: Bus) -> SigningRedeemer:
    key = Ed25519PrivateKey.generate()
    return SigningRedeemer(bus, key=lambda: key, clock=lambda: AT, random_bytes=os.urandom)


async def test_redemption_that_is_refused_says_to_approve_again() -> None:
    bus = Bus(RedeemResponse(problem=Problem(code="expired", message="it is over")))
    redeemer = SigningRedeemer(
        bus, key=Ed25519PrivateKey.generate, clock=lambda: AT, random_bytes=os.urandom
    )

    with pytest.raises(Rejected, match=r"delegation_expired.*approve again"):
        await redeemer.redeem(job(), public_key=b"k" * 32)


@pytest.mark.parametrize("code", ["not_allowed", "not_healthy"])
async def test_refusal_of_what_was_consented_to_is_told_as_approval_tells_it(code: str) -> None:
    bus = Bus(RedeemResponse(problem=Problem(code=code, message="staging has failed")))
    redeemer = SigningRedeemer(
        bus, key=Ed25519PrivateKey.generate, clock=lambda: AT, random_bytes=os.urandom
    )

    with pytest.raises(Rejected) as caught:
        await redeemer.redeem(job(), public_key=b"k" * 32)

    assert (caught.value.reason, caught.value.message) == (code, "staging has failed")


@pytest.mark.parametrize("code", ["cluster_unavailable", "forge_unavailable"])
async def test_redemption_is_tried_again_while_somebody_cannot_be_asked(code: str) -> None:
    bus = Bus(RedeemResponse(problem=Problem(code=code, message="away")))
    redeemer = SigningRedeemer(
        bus, key=Ed25519PrivateKey.generate, clock=lambda: AT, random_bytes=os.urandom
    )

    waits_s = []
    for tries in range(1, DELEGATED_TRIES_MAX):
        tried = job().model_copy(update={"tries": tries})
        with pytest.raises(Retryable, match=code) as caught:
            await redeemer.redeem(tried, public_key=b"k" * 32)
        waits_s.append(caught.value.after_s or 0.0)

    assert waits_s[0] < 5
    assert sum(waits_s) >= 20


def test_signing_key_is_the_seed_of_the_nkey(tmp_path: Path) -> None:
    seed = bytes(range(32))
    raw = bytes([(18 << 3) | (20 << 3) >> 5, ((20 << 3) & 31) << 3]) + seed + b"cc"
    path = tmp_path / "key.nk"
    path.write_text(base64.b32encode(raw).decode().rstrip("="))

    assert signing_key(path).private_bytes_raw() == seed


@pytest.mark.parametrize("text", ["", "not base32!", "AAAA"])
def test_file_without_a_seed_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "key.nk"
    path.write_text(text)

    with pytest.raises(Rejected, match="bad_nkey"):
        signing_key(path)


async def test_key_that_was_replaced_signs_the_next_redemption() -> None:
    second = Ed25519PrivateKey.generate()
    keys = iter([Ed25519PrivateKey.generate(), second])
    bus = Bus(RedeemResponse(sealed=b"x"))
    redeemer = SigningRedeemer(
        bus, key=lambda: next(keys), clock=lambda: AT, random_bytes=os.urandom
    )

    await redeemer.redeem(job(), public_key=b"k" * 32)
    made, _ = await redeemer.redeem(job(), public_key=b"k" * 32)

    second.public_key().verify(made.signature, canonical_bytes(made))


def test_suite_gives_the_answer_of_the_standard() -> None:
    """The base mode's first message. Source: https://www.rfc-editor.org/rfc/rfc9180#appendix-A.2."""
    key = X25519PrivateKey.from_private_bytes(
        bytes.fromhex("8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb")
    )
    encapsulated = "1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a"
    ciphertext = (
        "1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28"
    )

    # The library's own way to such answers, which all have associated data; ours have none.
    opened = rust_openssl.hpke._decrypt_with_aad(
        redeeming.SUITE,
        bytes.fromhex(encapsulated + ciphertext),
        key,
        b"Ode on a Grecian Urn",
        b"Count-0",
    )

    assert opened == b"Beauty is truth, truth beauty"
