"""One method for each request. What is raised here is answered as a problem by the bus."""

from dataclasses import dataclass

from countersign.approval.consent.consents import Consents
from countersign.approval.consent.decisions import Decisions
from countersign.approval.delegation.redemptions import Redemptions
from countersign.approval.interfaces import Caller
from countersign.approval.refusals import problem_code
from countersign.approval.revocation.endings import Endings
from countersign.approval.vault.sign_ins import SignIns
from countersign.approval.vault.vault import Vault
from countersign.contracts.consent.refusals import ConsentRefusal
from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.messages import (
    ApproveRequest,
    ApproveResponse,
    BeginRequest,
    BeginResponse,
    CompleteRequest,
    CompleteResponse,
    PingRequest,
    PingResponse,
    PollRequest,
    PollResponse,
    Problem,
    RedeemRequest,
    RedeemResponse,
    RejectRequest,
    RejectResponse,
    RetryRequest,
    RetryResponse,
    RevokeRequest,
    RevokeResponse,
)
from countersign.contracts.messages import UserCode as UserCodeMessage
from countersign.dialects.delegation.device import UserCode


@dataclass(frozen=True, kw_only=True)
class Handlers:
    replica: str
    consents: Consents
    decisions: Decisions
    redemptions: Redemptions
    endings: Endings
    vault: Vault
    sign_ins: SignIns

    async def on_begin(self, request: BeginRequest, _: Caller) -> BeginResponse:
        begun = await self.consents.begin(request)
        return BeginResponse(
            approval_id=begun.approval_id,
            replica=self.replica,
            authorize_url=begun.authorize_url,
            expires_at=begun.expires_at,
            granted=begun.granted,
            user_code=_told(begun.user_code),
        )

    async def on_complete(self, request: CompleteRequest, _: Caller) -> CompleteResponse:
        sign_in = self.consents.take(request)
        consent = sign_in.consent
        try:
            job = await self.consents.complete(sign_in, request)
        except (Rejected, Retryable) as error:
            # Answered here: the person's page goes back to the promotion with the problem.
            return CompleteResponse(
                problem=Problem(code=problem_code(error.reason), message=error.message),
                promotion=consent.promotion,
                approval_id=consent.approval_id,
            )
        return CompleteResponse(
            promotion=consent.promotion,
            approval_id=consent.approval_id,
            forge_user=job.forge_user,
        )

    async def on_poll(self, request: PollRequest, _: Caller) -> PollResponse:
        under_way = self.sign_ins.find(request.approval_id)
        if under_way is not None:
            _refuse_other_session(under_way.consent.session, request)
            return PollResponse(expires_at=under_way.until.at, user_code=_told(under_way.user_code))
        job = self.vault.job(request.approval_id)
        _refuse_other_session(job.consent.session, request)
        return PollResponse(granted=True, expires_at=job.until.at)

    async def on_approve(self, request: ApproveRequest, _: Caller) -> ApproveResponse:
        approval_id = await self.decisions.approve(
            request.promotion_id,
            request.person,
            reason=request.reason,
            despite_blocked=request.despite_blocked,
        )
        return ApproveResponse(approval_id=approval_id)

    async def on_reject(self, request: RejectRequest, _: Caller) -> RejectResponse:
        await self.decisions.reject(request.promotion_id, request.person, reason=request.reason)
        return RejectResponse()

    async def on_retry(self, request: RetryRequest, _: Caller) -> RetryResponse:
        attempt = await self.decisions.retry(request.promotion_id, request.person)
        return RetryResponse(attempt=attempt)

    async def on_redeem(self, request: RedeemRequest, caller: Caller) -> RedeemResponse:
        return await self.redemptions.redeem(request, caller)

    async def on_revoke(self, request: RevokeRequest, _: Caller) -> RevokeResponse:
        revoked = await self.endings.sign_out(
            person_id=request.person.id,
            session=request.session,
            promotion_id=request.promotion_id,
        )
        if request.promotion_id and request.delegations:
            revoked += await self.endings.withdraw(
                person_id=request.person.id, promotion_id=request.promotion_id
            )
        if request.sessions_before is not None:
            # Tokens first: what can be told or not keeps none alive.
            await self.endings.end_sessions(request.person.id, before=request.sessions_before)
        return RevokeResponse(revoked=revoked)

    async def on_ping(self, _: PingRequest, __: Caller) -> PingResponse:
        return PingResponse(replica=self.replica)


def _told(code: UserCode | None) -> UserCodeMessage | None:
    return UserCodeMessage(code=code.text, url=code.url) if code else None


def _refuse_other_session(session: str, request: PollRequest) -> None:
    if session != request.session:
        raise Rejected(
            ConsentRefusal.SESSION_MISMATCH, "this approval was begun by another session"
        )
