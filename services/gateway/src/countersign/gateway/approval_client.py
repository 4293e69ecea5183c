"""Requests to the approval service, one for each thing that people do.

Owns the words of its refusals. Never sees a token: `complete` passes on what the browser brought.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar

from countersign.contracts.consent.sign_in import replica_of
from countersign.contracts.errors import Rejected
from countersign.contracts.message import Message
from countersign.contracts.messages import (
    ApproveRequest,
    ApproveResponse,
    BeginRequest,
    BeginResponse,
    CompleteRequest,
    CompleteResponse,
    Person,
    PollRequest,
    PollResponse,
    Problem,
    RejectRequest,
    RejectResponse,
    RetryRequest,
    RetryResponse,
    RevokeRequest,
)
from countersign.contracts.promotion import Promotion
from countersign.gateway.interfaces import Requests
from countersign.gateway.refusals import Refusal, rejection_of

REQUEST_TIMEOUT_S: Final = 10.0
# The approval service asks the forge whose token it is before it answers.
COMPLETE_TIMEOUT_S: Final = 30.0
REASON_CHARACTERS_MAX: Final = 500
CODE_CHARACTERS_MAX: Final = 2_048

_Response = TypeVar("_Response", bound=Message)


@dataclass(frozen=True, kw_only=True)
class Callback:
    """The answer that the forge gave the browser. Has no repr: a code must not be shown."""

    state: str
    code: str
    error: str
    iss: str
    # Of the address that it came to.
    forge: str

    def __repr__(self) -> str:
        return "Callback(…)"


@dataclass(frozen=True, kw_only=True)
class Said:
    """The words that go with a consent."""

    reason: str = ""
    # The person confirmed that the gate is blocked, and wants it all the same.
    despite_blocked: bool = False
    # They type a code at the forge instead of going there.
    by_device: bool = False


class ApprovalClient:
    """One method for each thing that people do."""

    def __init__(self, requests: Requests) -> None:
        self._requests = requests

    async def begin(
        self, promotion_id: str, *, person: Person, session: str, said: Said | None = None
    ) -> BeginResponse:
        """Start a delegation; `session` is the hash of the browser session's id."""
        said = said or Said()
        request = BeginRequest(
            promotion_id=promotion_id,
            person=person,
            session=session,
            despite_blocked=said.despite_blocked,
            reason=_bounded(said.reason),
            device=said.by_device,
        )
        return _answered(
            await self._requests.request("approval.begin", request, timeout_s=REQUEST_TIMEOUT_S),
            BeginResponse,
        )

    async def complete(
        self, callback: Callback, *, person: Person, session: str
    ) -> CompleteResponse:
        """Bring back what the forge gave; the answer may name a promotion beside a problem.

        Raises:
            Rejected: `state_mismatch`; the state is none of ours.
            Retryable: the replica that asked does not answer.

        """
        replica = replica_of(callback.state)
        if not replica or len(callback.code) > CODE_CHARACTERS_MAX:
            raise Rejected(
                Refusal.STATE_MISMATCH, "the forge sent you back with a state that is none of ours"
            )
        request = CompleteRequest(
            replica=replica,
            state=callback.state,
            session=session,
            person=person,
            code=callback.code,
            error=callback.error,
            iss=callback.iss,
            forge=callback.forge,
        )
        answer = await self._requests.request(
            "approval.complete", request, replica=replica, timeout_s=COMPLETE_TIMEOUT_S
        )
        if not isinstance(answer, CompleteResponse):
            raise TypeError(f"approval.complete was answered with {type(answer).__name__}")
        return answer

    async def poll(
        self, promotion: Promotion, *, person: Person, session: str
    ) -> PollResponse | None:
        """Ask how this person's sign-in stands; none where they are not signing in.

        Raises:
            Rejected: `session_mismatch`; another session began it, which alone is told a code.
            Retryable: the replica that began it does not answer.

        """
        under_way = promotion.sign_in_of(person.id)
        if under_way is None:
            return None
        replica = under_way.replica
        request = PollRequest(replica=replica, approval_id=under_way.approval_id, session=session)
        return _answered(
            await self._requests.request(
                "approval.poll", request, replica=replica, timeout_s=REQUEST_TIMEOUT_S
            ),
            PollResponse,
        )

    async def approve(
        self, promotion_id: str, *, person: Person, said: Said | None = None
    ) -> ApproveResponse:
        said = said or Said()
        request = ApproveRequest(
            promotion_id=promotion_id,
            person=person,
            despite_blocked=said.despite_blocked,
            reason=_bounded(said.reason),
        )
        return _answered(
            await self._requests.request("approval.approve", request, timeout_s=REQUEST_TIMEOUT_S),
            ApproveResponse,
        )

    async def reject(self, promotion_id: str, *, person: Person, reason: str) -> RejectResponse:
        request = RejectRequest(promotion_id=promotion_id, person=person, reason=_bounded(reason))
        return _answered(
            await self._requests.request("approval.reject", request, timeout_s=REQUEST_TIMEOUT_S),
            RejectResponse,
        )

    async def retry(self, promotion_id: str, *, person: Person) -> RetryResponse:
        request = RetryRequest(promotion_id=promotion_id, person=person)
        return _answered(
            await self._requests.request("approval.retry", request, timeout_s=REQUEST_TIMEOUT_S),
            RetryResponse,
        )

    async def revoke(self, *, person: Person, session: str, promotion_id: str = "") -> None:
        """End what a person delegated: in one browser session or all, for one promotion or all."""
        await self._requests.broadcast(
            "approval.revoke",
            RevokeRequest(person=person, session=session, promotion_id=promotion_id),
        )

    async def leave(self, *, person: Person, at: datetime) -> None:
        """End all that a person delegated, and all sessions of theirs that began before."""
        await self._requests.broadcast(
            "approval.revoke", RevokeRequest(person=person, sessions_before=at)
        )

    async def withdraw(self, *, person: Person, promotion_id: str) -> None:
        """End what a person delegated for one promotion."""
        await self._requests.broadcast(
            "approval.revoke",
            RevokeRequest(person=person, promotion_id=promotion_id, delegations=True),
        )


def _bounded(reason: str) -> str:
    if len(reason) > REASON_CHARACTERS_MAX:
        raise Rejected(
            Refusal.BAD_REQUEST, f"a reason has at most {REASON_CHARACTERS_MAX} characters"
        )
    return reason


def _answered(answer: Message, expected: type[_Response]) -> _Response:
    if not isinstance(answer, expected):
        raise TypeError(f"expected {expected.__name__}, got {type(answer).__name__}")
    problem: Problem | None = getattr(answer, "problem", None)
    if problem is not None:
        raise rejection_of(problem)
    return answer
