"""A chain of digests over all events of the stream, in order, and seals on it.

Each event's digest is of its canonical line, each link of the one before and that digest. A seal is
a signature over the link after one event, made by a key that no service has: whoever changes, drops
or inserts an event before it breaks every seal from there on.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Final, Self

from countersign.contracts.errors import Rejected
from countersign.contracts.refusals import ContractRefusal

BEGINNING: Final = hashlib.sha256(b"countersign/record/v1").digest()
_SEALED_AS: Final = b"countersign/seal/v1\n"


def _canonical(body: dict[str, object]) -> str:
    return json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True, kw_only=True)
class StoredEvent:
    """An event as the stream holds it, and as archives keep it."""

    sequence: int
    recorded_at: str
    subject: str
    id: str
    body: str
    trace: str = ""

    def line(self) -> str:
        """The event as a line of JSON, always the same for the same event."""
        named = {
            "body": self.body,
            "id": self.id,
            "recordedAt": self.recorded_at,
            "sequence": self.sequence,
            "subject": self.subject,
            "trace": self.trace,
        }
        return _canonical({name: value for name, value in named.items() if value != ""})

    @classmethod
    def parse(cls, line: str) -> Self:
        """Read a line of an archive.

        Raises:
            Rejected: `malformed`.

        """
        try:
            body = json.loads(line)
            return cls(
                sequence=int(body["sequence"]),
                recorded_at=str(body["recordedAt"]),
                subject=str(body["subject"]),
                id=str(body.get("id", "")),
                body=str(body["body"]),
                trace=str(body.get("trace", "")),
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            raise Rejected(
                ContractRefusal.MALFORMED, f"no line of an archive: {line[:80]!r}"
            ) from None


def link(before: bytes, event: StoredEvent) -> bytes:
    """The chain after one more event."""
    return hashlib.sha256(before + hashlib.sha256(event.line().encode()).digest()).digest()


@dataclass(frozen=True, kw_only=True)
class Seal:
    """A signature over the chain after one event.

    Args:
        stream: when the stream was made; another of the same name has a chain of its own.
        first: the event that its chain begins with.
        sequence: the last event that it covers.
        chain: the chain after that event, hexadecimal.
        before: the digest of the seal before it, empty for the first.
        sealed_at: by the clock of who sealed; nobody vouches for it.
        signature: Ed25519, hexadecimal.

    """

    stream: str
    first: int
    sequence: int
    chain: str
    before: str
    sealed_at: str
    signature: str = ""

    def signed_bytes(self) -> bytes:
        return _SEALED_AS + replace(self, signature="").line().encode()

    def line(self) -> str:
        return _canonical(asdict(self))

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.line().encode()).hexdigest()

    @classmethod
    def parse(cls, line: str) -> Self:
        """Read a line of a file of seals.

        Raises:
            Rejected: `malformed`.

        """
        try:
            body = json.loads(line)
            seal = cls(**body)
            bytes.fromhex(seal.chain + seal.signature + seal.before)
            return replace(seal, first=int(seal.first), sequence=int(seal.sequence))
        except (ValueError, TypeError):
            raise Rejected(ContractRefusal.MALFORMED, f"no seal: {line[:80]!r}") from None


class Flaw(StrEnum):
    """Something that is wrong with a record."""

    BAD_SIGNATURE = "bad_signature"
    """A seal was not made by the key."""
    SEAL_MISSING = "seal_missing"
    """A seal does not follow from the one before it."""
    EVENT_MISSING = "event_missing"
    EVENT_CHANGED = "event_changed"
    """The chain is another at a seal: an event up to it was changed or slipped in."""
    END_MISSING = "end_missing"
    """Events that a seal covers are not there any more, at the end."""
    ROW_DIFFERS = "row_differs"
    ROW_UNKNOWN = "row_unknown"
    """The events do not lead to that row."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """A flaw, and the sequence of the event where it shows."""

    flaw: Flaw
    sequence: int


def flaws_of_seals(seals: Sequence[Seal], *, is_genuine: Callable[[Seal], bool]) -> Iterator[Found]:
    """Check signatures, and that no seal was taken out."""
    before = ""
    for seal in seals:
        if not is_genuine(seal):
            yield Found(flaw=Flaw.BAD_SIGNATURE, sequence=seal.sequence)
        if seal.before != before:
            yield Found(flaw=Flaw.SEAL_MISSING, sequence=seal.sequence)
        before = seal.digest


@dataclass(kw_only=True)
class Walk:
    """Follows the events of one stream from seal to seal. `checked` counts those compared."""

    seals: Sequence[Seal]
    checked: int = 0
    reached: int = 0
    _chain: bytes | None = None

    def over(self, events: Iterable[StoredEvent]) -> Iterator[Found]:
        """Compare the chain with every seal that it passes; what is before the first is skipped."""
        by_sequence = {seal.sequence: seal for seal in self.seals}
        firsts = {seal.first for seal in self.seals}
        for event in events:
            if self.reached and event.sequence != self.reached + 1:
                yield Found(flaw=Flaw.EVENT_MISSING, sequence=self.reached + 1)
                self._chain = None
            elif not self.reached and event.sequence - 1 in by_sequence:
                self._chain = bytes.fromhex(by_sequence[event.sequence - 1].chain)
            if self._chain is None and event.sequence in firsts:
                self._chain = BEGINNING
            self.reached = event.sequence
            if self._chain is not None:
                self._chain = link(self._chain, event)
            if (seal := by_sequence.get(event.sequence)) is not None:
                yield from self._compared(seal)
        last = max(by_sequence, default=0)
        if last > self.reached:
            yield Found(flaw=Flaw.END_MISSING, sequence=self.reached + 1)

    def _compared(self, seal: Seal) -> Iterator[Found]:
        if self._chain is not None:
            self.checked += 1
            if self._chain.hex() != seal.chain:
                yield Found(flaw=Flaw.EVENT_CHANGED, sequence=seal.sequence)
        # What follows is judged by itself.
        self._chain = bytes.fromhex(seal.chain)
