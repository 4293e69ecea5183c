"""Browser sessions: kept here, named by a signed cookie that says nothing else.

A second cookie holds it encrypted, so that a replica that does not know a session takes it up.
A new id is given at sign-in, so an id that somebody planted is worth nothing. An id of nobody
(before sign-in) carries no state, only the token that its forms must bring back.
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from itsdangerous import BadSignature, Signer

from countersign.contracts.bounds.dictionaries import BoundedDict
from countersign.contracts.consent.sign_in import person_digest, session_digest
from countersign.contracts.messages import Person
from countersign.gateway.access.capsules import FRESH, Capsules
from countersign.gateway.interfaces import Clock, Dice

ID_BYTES: Final = 32
NONCE_BYTES: Final = 8
IDLE: Final = timedelta(minutes=30)
ABSOLUTE: Final = timedelta(hours=8)
SESSIONS_MAX: Final = 10_000  # about 5 MB; the one unused for longest goes first
COOKIE_CHARACTERS_MAX: Final = 256


@dataclass(frozen=True, kw_only=True)
class Session:
    """Somebody who signed in with one browser."""

    id: str
    person: Person
    created_at: datetime
    seen_at: datetime

    @property
    def digest(self) -> str:
        """The digest by which other services know the session."""
        return session_digest(self.id)

    def __repr__(self) -> str:
        return f"Session(person={self.person.id!r})"


class Sessions:
    """Owns who is signed in.

    Args:
        clock: tells when a session was used.
        dice: random bytes.
        key: of all replicas; without one, sessions are of this process alone.

    """

    def __init__(self, *, clock: Clock, dice: Dice, key: bytes = b"") -> None:
        self._clock = clock
        self._dice = dice
        self._key = key or dice(ID_BYTES)
        self._capsules = Capsules(self._key, clock=clock, dice=dice)
        self._closed = BoundedDict[str, datetime](SESSIONS_MAX)
        self._ended = BoundedDict[str, datetime](SESSIONS_MAX)
        self._signer = Signer(self._key, salt="countersign.session", digest_method=hashlib.sha256)
        self._sessions = BoundedDict[str, Session](SESSIONS_MAX)

    def __len__(self) -> int:
        return len(self._sessions)

    @property
    def now(self) -> datetime:
        """The time that sessions begin and end by."""
        return self._clock()

    def new_id(self) -> str:
        return base64.urlsafe_b64encode(self._dice(ID_BYTES)).rstrip(b"=").decode()

    def open(self, person: Person) -> Session:
        """Sign a person in, under an id that nobody has seen before."""
        now = self._clock()
        session = Session(id=self.new_id(), person=person, created_at=now, seen_at=now)
        self._sessions[session.id] = session
        return session

    def find(self, session_id: str, *, touch: bool = True) -> Session | None:
        """The session if it is alive; looking at it keeps it alive unless `touch` is off."""
        session = self._sessions.get(session_id)
        if session is None:
            return None
        now = self._clock()
        if now - session.seen_at > IDLE or now - session.created_at > ABSOLUTE:
            del self._sessions[session_id]
            return None
        if touch:
            session = replace(session, seen_at=now)
            self._sessions[session_id] = session
        return session

    def take_up(self, session_id: str, capsule: str) -> Session | None:
        """The session of another replica, or of this one before it was started again."""
        found = self._capsules.open(capsule)
        if found is None or found.session_id != session_id or session_id in self._closed:
            return None
        session = Session(
            id=session_id,
            person=found.person,
            created_at=found.created_at,
            seen_at=found.sealed_at,
        )
        if self._is_ended(session):
            return None
        self._sessions[session_id] = session
        return self.find(session_id)

    def encapsulate(self, session_id: str, capsule: str) -> str | None:
        """The other cookie as it should be now; none where it is that, empty where it should go."""
        session = self._sessions.get(session_id)
        if session is None:
            return "" if capsule else None
        found = self._capsules.open(capsule)
        current = found is not None and found.session_id == session_id
        if found is not None and current and self._clock() - found.sealed_at < FRESH:
            return None
        sealed = self._capsules.seal(
            session_id=session_id, person=session.person, created_at=session.created_at
        )
        return sealed or None

    def close(self, session_id: str) -> None:
        """Forget it; what is still in a cookie is not taken up again here."""
        self._sessions.pop(session_id, None)
        now = self._clock()
        self._closed.discard_while(lambda at: now - at > ABSOLUTE)
        self._closed[session_id] = now

    def close_all(self, person: str, *, before: datetime) -> list[str]:
        """End what a person began before, here and where it is taken up later; returns the ids.

        Args:
            person: the digest of their id.
            before: what began later goes on.

        """
        now = self._clock()
        self._ended.discard_while(lambda at: now - at > ABSOLUTE)
        self._ended[person] = max(before, self._ended.get(person, before))
        found = [i for i, session in self._sessions.items() if self._is_ended(session)]
        for session_id in found:
            self.close(session_id)
        return found

    def _is_ended(self, session: Session) -> bool:
        ended_at = self._ended.get(person_digest(session.person.id))
        return ended_at is not None and session.created_at <= ended_at

    def seal(self, session_id: str) -> str:
        """Sign a session's id for the cookie."""
        return self._signer.sign(session_id).decode()

    def unseal(self, cookie: str) -> str:
        """The id in a cookie that we made, or empty."""
        if len(cookie) > COOKIE_CHARACTERS_MAX:
            return ""
        try:
            return self._signer.unsign(cookie).decode()
        except (BadSignature, UnicodeDecodeError):
            return ""

    def form_token(self, session_id: str) -> str:
        """Make the token that a form of that session must bring back; it differs each time.

        Pages are compressed and repeat what is searched for, so a token that stayed the same could
        be guessed by its length. https://www.breachattack.com
        """
        return self._form_token(session_id, self._dice(NONCE_BYTES).hex())

    def is_form_token(self, text: str, session_id: str) -> bool:
        made = self._form_token(session_id, text.partition(".")[0])
        return hmac.compare_digest(text.encode(), made.encode())

    def _form_token(self, session_id: str, nonce: str) -> str:
        message = f"countersign.form:{nonce}:{session_id}".encode("utf-8", "surrogatepass")
        return f"{nonce}.{hmac.new(self._key, message, hashlib.sha256).hexdigest()}"
