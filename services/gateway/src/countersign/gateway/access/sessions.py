"""Browser sessions: kept here, named by a signed cookie that says nothing else.

A new id is given at sign-in, so an id that somebody planted is worth nothing. An id of nobody
(before sign-in) carries no state, only the token that its forms must bring back.
"""

import hashlib
import hmac
import secrets
from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from itsdangerous import BadSignature, Signer

from countersign.contracts.consent.sign_in import session_digest
from countersign.contracts.messages import Person
from countersign.gateway.interfaces import Clock

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
        """What other services get to know of the session's id."""
        return session_digest(self.id)

    def __repr__(self) -> str:
        return f"Session(person={self.person.id!r})"


class Sessions:
    """Owns who is signed in."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._key = secrets.token_bytes(ID_BYTES)
        self._signer = Signer(self._key, salt="countersign.session", digest_method=hashlib.sha256)
        self._sessions: OrderedDict[str, Session] = OrderedDict()

    def __len__(self) -> int:
        return len(self._sessions)

    def new_id(self) -> str:
        return secrets.token_urlsafe(ID_BYTES)

    def open(self, person: Person) -> Session:
        """Sign a person in, under an id that nobody has seen before."""
        now = self._clock()
        session = Session(id=self.new_id(), person=person, created_at=now, seen_at=now)
        self._sessions[session.id] = session
        while len(self._sessions) > SESSIONS_MAX:
            self._sessions.popitem(last=False)
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
            self._sessions.move_to_end(session_id)
        return session

    def close(self, session_id: str) -> None:
        self._sessions.pop(session_id, None)

    def seal(self, session_id: str) -> str:
        """What the cookie holds."""
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
        """What a form of that session must bring back; different each time.

        Pages are compressed and repeat what is searched for, so a token that stayed the same could
        be guessed by its length. https://www.breachattack.com
        """
        return self._form_token(session_id, secrets.token_hex(NONCE_BYTES))

    def is_form_token(self, text: str, session_id: str) -> bool:
        made = self._form_token(session_id, text.partition(".")[0])
        return hmac.compare_digest(text.encode(), made.encode())

    def _form_token(self, session_id: str, nonce: str) -> str:
        message = f"countersign.form:{nonce}:{session_id}".encode("utf-8", "surrogatepass")
        return f"{nonce}.{hmac.new(self._key, message, hashlib.sha256).hexdigest()}"
