"""The vault as a state machine: nothing is lost, nothing is given twice, every limit holds."""

from collections import Counter
from datetime import timedelta

import pytest
from cryptography.exceptions import InvalidTag
from doubles.approval_house import Clock, person, requested
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule

from countersign.approval.model import REDEMPTIONS_MAX, Consent, Ending
from countersign.approval.vault import vault as vaults
from countersign.approval.vault.ciphers import Cipher, Sealed
from countersign.approval.vault.vault import Delegation, Identity, Job, Spent, Vault
from countersign.contracts.errors import Rejected
from countersign.contracts.identity import consent_digest
from countersign.contracts.messages import ForgeUser
from countersign.contracts.secret import Secret

PEOPLE = ("ada", "grace", "edsger")
SESSIONS = ("s1", "s2", "s3", "s4", "s5", "s6")
USER = ForgeUser(id="1", login="ada")


def consent(number: int, who: str, session: str) -> Consent:
    event = requested()
    return Consent(
        approval_id=f"a{number}",
        person=person(who),
        session=session,
        promotion=event.promotion,
        destination=event.destination,
        digest=consent_digest(event),
    )


class VaultMachine(RuleBasedStateMachine):
    """Compares the vault with a ledger of every token that was put in."""

    jobs = Bundle("jobs")

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.cipher = Cipher()
        self.vault = Vault(clocks=self.clock.clocks)
        self.given: set[Sealed] = set()
        self.spent: Counter[Sealed] = Counter()
        self.redeemed: Counter[str] = Counter()
        self.ended: set[str] = set()
        self.number = 0

    def seal(self) -> Sealed:
        self.number += 1
        return self.cipher.seal(Secret(f"made-up-{self.number}"))

    def is_over(self, job: Job) -> bool:
        return job.consent.approval_id in self.ended or self.clock.clocks.is_over(job.until)

    def take(self, spent: list[Spent]) -> None:
        self.spent.update(one.token for one in spent)

    @rule(
        target=jobs,
        who=st.sampled_from(PEOPLE),
        session=st.sampled_from(SESSIONS),
        minutes=st.integers(1, 15),
    )
    def grant(self, who: str, session: str, minutes: int) -> object:
        self.number += 1
        made = consent(self.number, who, session)
        own, child = self.seal(), self.seal()
        until = self.clock.clocks.deadline(timedelta(minutes=minutes))
        job = Job(consent=made, identity=Identity(user=USER), until=until, ready=child)
        try:
            self.vault.add_job(job)
        except Rejected as error:
            if error.reason != "limit":
                raise
            return multiple()
        try:
            spent = self.vault.keep(
                Delegation(consent=made, token=own, identity=Identity(user=USER), until=until)
            )
        except Rejected as error:
            if error.reason != "limit":
                raise
            self.vault.end(made.approval_id, Ending.REFUSED)
            return multiple()
        self.given |= {own, child}
        self.take(spent)
        return job

    @rule(job=jobs, key=st.binary(min_size=1, max_size=1))
    def redeem(self, job: Job, key: bytes) -> None:
        name = job.consent.approval_id
        try:
            found = self.vault.job(name)
        except Rejected as error:
            if error.reason != "expired" or not self.is_over(job):
                raise
            return
        assert found is job
        try:
            ready = self.vault.reserve(job, key=key)
        except Rejected as error:
            if error.reason not in {"replay", "limit"}:
                raise
            return
        self.redeemed[name] += 1
        assert self.redeemed[name] <= REDEMPTIONS_MAX
        if ready is None:
            child = self.seal()
            self.given.add(child)
            self.take(self.vault.add_child(job, child))

    @rule(job=jobs)
    def make_a_child_too_late(self, job: Job) -> None:
        """The forge answered only after the job had ended."""
        if job.consent.approval_id in self.ended:
            child = self.seal()
            self.given.add(child)
            self.take(self.vault.add_child(job, child))
            assert self.spent[child] == 1

    @rule(job=jobs)
    def end(self, job: Job) -> None:
        self.take(self.vault.end(job.consent.approval_id, Ending.USED))
        self.ended.add(job.consent.approval_id)

    @rule(who=st.sampled_from(PEOPLE), session=st.sampled_from(("", *SESSIONS)))
    def sign_out(self, who: str, session: str) -> None:
        spent, jobs = self.vault.end_all(Ending.SIGNED_OUT, person_id=who, session=session)
        self.take(spent)
        self.ended |= {job.consent.approval_id for job in jobs}
        assert all(job.consent.person.id == who for job in jobs)

    @rule(minutes=st.integers(0, 16))
    def wait(self, minutes: int) -> None:
        self.clock.pass_(minutes=minutes)
        for job in self.vault.due():
            self.take(self.vault.end(job.consent.approval_id, Ending.EXPIRED))
            self.ended.add(job.consent.approval_id)
        self.take(self.vault.expire())

    @invariant()
    def every_token_is_spent_at_most_once_and_was_put_in(self) -> None:
        assert set(self.spent) <= self.given
        assert all(count == 1 for count in self.spent.values())

    @invariant()
    def limits_hold(self) -> None:
        assert self.vault.size <= vaults.DELEGATIONS_MAX
        owners = Counter(owner.person_id for owner in self.vault._delegations)
        assert all(count <= vaults.DELEGATIONS_PER_PERSON_MAX for count in owners.values())

    def teardown(self) -> None:
        """At the end everything that ever went in has come out."""
        self.take(self.vault.end_all(Ending.SHUT_DOWN)[0])
        assert set(self.spent) == self.given
        assert self.vault.size == 0


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vaults, "DELEGATIONS_MAX", 9)
    monkeypatch.setattr(vaults, "JOBS_PER_PERSON_MAX", 6)


VaultMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
TestVault = VaultMachine.TestCase


def test_sealed_token_shows_nothing_and_opens_with_its_cipher_alone() -> None:
    cipher, other = Cipher(), Cipher()
    sealed = cipher.seal(Secret("made-up-token"))

    assert b"made-up" not in sealed.ciphertext
    assert "ciphertext" not in repr(sealed)
    assert cipher.open(sealed).reveal() == "made-up-token"
    with pytest.raises(InvalidTag):
        other.open(sealed)
