"""Sign-ins under way: their limits, and the state that leads back to them."""

from datetime import timedelta

import pytest
from doubles.approval_house import Clock, person, requested

from countersign.approval.model import Entry, Said
from countersign.approval.vault import sign_ins
from countersign.approval.vault.ciphers import Cipher
from countersign.approval.vault.sign_ins import SIGN_INS_PER_PERSON_MAX, SignIn, SignIns
from countersign.contracts.consent.sign_in import replica_of, state_for
from countersign.contracts.errors import Rejected
from countersign.contracts.promotion import Promotion, State
from countersign.contracts.secret import Secret


def sign_in(number: int, *, clock: Clock, who: str = "ada") -> SignIn:
    ref = requested().promotion.model_copy(update={"promotion_id": f"{number:016d}"})
    promotion = Promotion(request=requested(promotion=ref), state=State.WAITING)
    consent = Entry(promotion=promotion).consent(
        approval_id=f"a{number}", person=person(who), session="s", merges_itself=False, said=Said()
    )
    secret = Cipher().seal(Secret("made-up"))
    until = clock.clocks.deadline(timedelta(minutes=10))
    return SignIn(consent=consent, secret=secret, until=until)


@pytest.mark.parametrize("replica", ["approval-0", "Host.Example-12", "a b/ü"])
def test_state_leads_back_to_its_replica_however_that_is_called(replica: str) -> None:
    assert replica_of(state_for(replica, random="r4nd0m_-")) == replica


@pytest.mark.parametrize("state", ["", ".", "x", "x.", ".y", "x" * 600 + ".y"])
def test_text_that_is_no_state_leads_nowhere(state: str) -> None:
    assert replica_of(state) == ""


def test_ninth_sign_in_of_one_person_takes_the_place_of_the_first() -> None:
    clock = Clock()
    kept = SignIns(clocks=clock.clocks)
    for number in range(SIGN_INS_PER_PERSON_MAX):
        assert kept.add(f"s{number}", sign_in(number, clock=clock)) == []
    kept.add("grace", sign_in(0, clock=clock, who="grace"))

    gone = kept.add("s9", sign_in(9, clock=clock))

    assert [s.consent.approval_id for s in gone] == ["a0"]
    assert len(kept.all) == SIGN_INS_PER_PERSON_MAX + 1


def test_house_that_is_full_refuses_newcomers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sign_ins, "SIGN_INS_MAX", 1)
    clock = Clock()
    kept = SignIns(clocks=clock.clocks)
    kept.add("s1", sign_in(1, clock=clock))

    with pytest.raises(Rejected, match="limit"):
        kept.add("s2", sign_in(2, clock=clock, who="grace"))
    assert kept.add("s3", sign_in(1, clock=clock))


def test_sign_in_expires_at_its_minute_and_not_before() -> None:
    clock = Clock()
    kept = SignIns(clocks=clock.clocks)
    kept.add("s1", sign_in(1, clock=clock))
    clock.pass_(minutes=9, seconds=59)
    assert kept.expire() == []

    clock.pass_(seconds=1)

    assert len(kept.expire()) == 1
    assert kept.all == ()


def test_clock_that_is_stepped_back_makes_no_sign_in_last_longer() -> None:
    clock = Clock()
    kept = SignIns(clocks=clock.clocks)
    kept.add("s1", sign_in(1, clock=clock))
    clock.step(hours=-1)

    clock.pass_(minutes=10)

    assert len(kept.expire()) == 1


def test_clock_that_is_stepped_forward_ends_a_sign_in_as_people_were_told() -> None:
    clock = Clock()
    kept = SignIns(clocks=clock.clocks)
    kept.add("s1", sign_in(1, clock=clock))

    clock.step(minutes=10)

    assert len(kept.expire()) == 1
