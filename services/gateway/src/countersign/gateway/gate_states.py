"""Every state of a gate, in one table: how it looks, which filter shows it, what can be done."""

from enum import StrEnum
from typing import Final, NamedTuple


class GateState(StrEnum):
    """The state of a gate between a revision and the next environment."""

    LEVEL = "level"
    PROGRESSING = "progressing"
    BLOCKED = "blocked"
    NOT_PROMOTABLE = "not-promotable"
    WAITING = "waiting"
    AHEAD = "ahead"
    ASKED = "asked"
    OPENING = "opening"
    OPEN = "open"
    OPEN_FOR_LONG = "open-for-long"
    DEPLOYING = "deploying"
    NOT_ARRIVED = "not-arrived"
    FAILED = "failed"
    LOST = "lost"
    REJECTED = "rejected"
    CLOSED = "closed"
    UNDONE = "undone"
    SUPERSEDED = "superseded"
    UNKNOWN = "unknown"


class Tone(StrEnum):
    """The four state colours, and none."""

    QUIET = "quiet"
    GOOD = "good"
    WAIT = "wait"
    BUSY = "busy"
    BAD = "bad"


class Look(NamedTuple):
    """The appearance of a state beside its sentence."""

    word: str
    icon: str
    tone: Tone


class Show(StrEnum):
    """A filter chip of the board."""

    ALL = "all"
    NEEDS_ME = "needs-me"
    IN_PULL_REQUEST = "in-pull-request"
    BLOCKED = "blocked"
    FAILED = "failed"


class Verb(StrEnum):
    """An action that a person can take at a gate."""

    PROMOTE = "promote"
    PROMOTE_ANYWAY = "promote-anyway"
    CONTINUE = "continue"
    CANCEL = "cancel"
    REJECT = "reject"
    GIVE_UP = "give-up"
    ASK_AGAIN = "ask-again"
    TRY_AGAIN = "try-again"
    PROMOTE_AGAIN = "promote-again"
    HOW_TO_FIX = "how-to-fix"
    OPEN_PULL_REQUEST = "open-pull-request"
    SHOW_OBJECT = "show-object"
    SHOW_CLUSTER = "show-cluster"
    WHY = "why"


class Row(NamedTuple):
    """One state of a gate."""

    look: Look
    # The first is offered on the board.
    verbs: tuple[Verb, ...] = ()
    # Which filter shows it, beside "All".
    chip: Show | None = None
    # Whether the consent sheet can be shown; somebody else may be signing in meanwhile.
    consents: bool = False
    # Offered instead to the person who is signing in.
    own: tuple[Verb, ...] = ()
    # Nothing is to be done by anybody: it goes on by itself, or is as it should be.
    is_calm: bool = False

    @property
    def needs_person(self) -> bool:
        """Tell whether somebody is asked to do something."""
        return self.chip is Show.NEEDS_ME


_WAITING: Final = (Verb.PROMOTE, Verb.REJECT)
STATES: Final[dict[GateState, Row]] = {
    GateState.LEVEL: Row(Look("up to date", "level", Tone.QUIET), is_calm=True),
    GateState.PROGRESSING: Row(Look("in progress", "deploying", Tone.QUIET), (Verb.SHOW_OBJECT,)),
    GateState.BLOCKED: Row(Look("blocked", "blocked", Tone.BAD), (Verb.SHOW_OBJECT,), Show.BLOCKED),
    GateState.NOT_PROMOTABLE: Row(
        Look("cannot be promoted", "barred", Tone.QUIET), (Verb.WHY,), Show.BLOCKED
    ),
    GateState.WAITING: Row(
        Look("waiting", "waiting", Tone.WAIT), _WAITING, Show.NEEDS_ME, consents=True
    ),
    GateState.AHEAD: Row(
        Look("ahead", "undone", Tone.QUIET), (Verb.PROMOTE_ANYWAY, Verb.REJECT), consents=True
    ),
    GateState.ASKED: Row(
        Look("approval under way", "person", Tone.BUSY),
        _WAITING,
        consents=True,
        own=(Verb.CONTINUE, Verb.CANCEL),
    ),
    GateState.OPENING: Row(Look("opening", "opening", Tone.BUSY), is_calm=True),
    GateState.OPEN: Row(
        Look("in pull request", "pull-request", Tone.BUSY),
        (Verb.OPEN_PULL_REQUEST,),
        Show.IN_PULL_REQUEST,
    ),
    GateState.OPEN_FOR_LONG: Row(
        Look("open for a long time", "pull-request", Tone.WAIT),
        (Verb.OPEN_PULL_REQUEST, Verb.ASK_AGAIN, Verb.GIVE_UP),
        Show.IN_PULL_REQUEST,
    ),
    GateState.DEPLOYING: Row(Look("deploying", "deploying", Tone.BUSY), is_calm=True),
    GateState.NOT_ARRIVED: Row(
        Look("not arrived", "undone", Tone.WAIT),
        (Verb.ASK_AGAIN, Verb.GIVE_UP, Verb.SHOW_OBJECT),
        Show.FAILED,
    ),
    GateState.FAILED: Row(
        Look("failed", "failed", Tone.BAD), (Verb.TRY_AGAIN, Verb.HOW_TO_FIX), Show.FAILED
    ),
    GateState.LOST: Row(
        Look("ask again", "again", Tone.WAIT), _WAITING, Show.NEEDS_ME, consents=True
    ),
    GateState.REJECTED: Row(Look("rejected", "rejected", Tone.QUIET), (Verb.ASK_AGAIN,)),
    GateState.CLOSED: Row(Look("closed", "rejected", Tone.QUIET), (Verb.ASK_AGAIN,)),
    GateState.UNDONE: Row(
        Look("undone", "undone", Tone.BAD), (Verb.PROMOTE_AGAIN, Verb.SHOW_OBJECT), Show.FAILED
    ),
    GateState.SUPERSEDED: Row(
        Look("overtaken", "overtaken", Tone.QUIET),
        (Verb.OPEN_PULL_REQUEST,),
        Show.IN_PULL_REQUEST,
    ),
    GateState.UNKNOWN: Row(
        Look("unknown", "unknown", Tone.WAIT), (Verb.SHOW_CLUSTER,), Show.BLOCKED
    ),
}
