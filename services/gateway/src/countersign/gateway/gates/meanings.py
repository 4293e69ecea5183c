"""The meaning of each state of a gate, for somebody who sees it for the first time."""

from typing import Final

from countersign.gateway.gate_states import GateState

MEANINGS: Final = {
    GateState.LEVEL: "Both environments run the same.",
    GateState.PROGRESSING: "An upgrade is under way. It goes on by itself.",
    GateState.BLOCKED: "Something is in the way; usually the environment below is not healthy.",
    GateState.NOT_PROMOTABLE: "This revision cannot be written elsewhere. The gate says why.",
    GateState.WAITING: "A revision is ready, and waits for somebody who may promote it.",
    GateState.AHEAD: "The environment runs a higher version than the one before it.",
    GateState.ASKED: "Somebody is signing in at the forge to approve.",
    GateState.OPENING: "The pull request is being opened.",
    GateState.OPEN: "A pull request is open, and waits to be reviewed and merged.",
    GateState.OPEN_FOR_LONG: "A pull request has been open for long without any news of it.",
    GateState.DEPLOYING: "The pull request is merged, and Flux is applying it.",
    GateState.NOT_ARRIVED: "It was merged, but the environment still runs something else.",
    GateState.FAILED: "The pull request could not be opened. The gate says how to fix that.",
    GateState.LOST: "An approval ended before it was used. Somebody has to approve again.",
    GateState.REJECTED: "Somebody decided against it. It can be asked for again.",
    GateState.CLOSED: "The pull request was closed without merging. It can be asked for again.",
    GateState.UNDONE: "It was merged, but the environment went back to what it ran before.",
    GateState.SUPERSEDED: "A newer revision took its place while its pull request is still open.",
    GateState.UNKNOWN: "The cluster cannot be read, so nobody knows what runs there.",
}
