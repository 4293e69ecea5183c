"""Obtains delegations from forges: the code for the token, whose it is, and its narrow child.

A token that is refused is revoked; whatever goes wrong, none is forgotten alive.
"""

from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import timedelta

from countersign.approval.interfaces import Application
from countersign.approval.model import Consent, Ending
from countersign.approval.revocation.revocations import Revocations
from countersign.approval.vault.ciphers import Cipher, Sealed
from countersign.approval.vault.sign_ins import SignIn
from countersign.approval.vault.vault import (
    OWN_NAME,
    Delegation,
    Identity,
    Job,
    Spent,
    Vault,
)
from countersign.contracts.consent.refusals import ConsentRefusal
from countersign.contracts.errors import Rejected
from countersign.contracts.messages import ForgeUser
from countersign.contracts.secret import Secret
from countersign.dialects.delegation.fitness import lifetime_s
from countersign.dialects.delegation.oauth import Delegated, Grant, Narrowed
from countersign.process.clocks import Clocks
from countersign.telemetry.attributes import (
    SPAN_EXCHANGE_CODE,
    SPAN_IDENTIFY_USER,
    SPAN_NARROW_TOKEN,
)
from countersign.telemetry.tracing import span

# Whether the account that turned up may be the one; raises if not.
RefuseAccount = Callable[[ForgeUser], None]


class Delegations:
    def __init__(
        self, *, vault: Vault, cipher: Cipher, revocations: Revocations, clocks: Clocks
    ) -> None:
        self._vault = vault
        self._cipher = cipher
        self._revocations = revocations
        self._clocks = clocks

    async def accept(
        self, application: Application, sign_in: SignIn, *, code: Secret, refuse: RefuseAccount
    ) -> Job:
        """Exchange the code, refuse what is too strong or the wrong person's, keep what is not.

        Raises:
            Rejected: a word of `Problem.code`; the token is then on its way to its end.
            Retryable: `forge_unavailable`; the same.

        """
        grant = Grant(code=code, verifier=self._cipher.open(sign_in.secret))
        with span(SPAN_EXCHANGE_CODE):
            delegated = await application.oauth.exchange(grant)
        return await self.keep(application, sign_in.consent, delegated, refuse=refuse)

    async def keep(
        self,
        application: Application,
        consent: Consent,
        delegated: Delegated,
        *,
        refuse: RefuseAccount,
    ) -> Job:
        """Keep what a forge gave to a person, for this consent, unless it is not fit for it.

        Raises:
            Rejected, Retryable: as `accept`.

        """
        own = self._cipher.seal(delegated.token)
        async with AsyncExitStack() as undo:
            undo.push_async_callback(self._refuse, consent, own, OWN_NAME)
            delegation = await self._inspect(application, consent, delegated, own)
            refuse(delegation.forge_user)
            if application.oauth.narrows:
                gone = await self._keep_narrow(application, delegation, delegated.token)
            else:
                self._vault.add_job(_job(consent, delegation, own=own))
                gone = []
            undo.pop_all()
        await self._revocations.add(*gone)
        return self._vault.job(consent.approval_id)

    async def _keep_narrow(
        self, application: Application, delegation: Delegation, token: Secret
    ) -> list[Spent]:
        """Take in a token and its first child; returns what gives way to it."""
        consent = delegation.consent
        async with AsyncExitStack() as undo:
            child = await self._narrow(application, consent, token)
            ready = self._cipher.seal(child.token)
            undo.push_async_callback(self._refuse, consent, ready, "child-0")
            self._vault.add_job(_job(consent, delegation, ready=ready))
            undo.callback(self._vault.end, consent.approval_id, Ending.REFUSED)
            gone = self._vault.keep(delegation)
            undo.pop_all()
        return gone

    async def discard(self, consent: Consent, token: Secret) -> None:
        """End a token that came when nobody waited for it any more."""
        await self._refuse(consent, self._cipher.seal(token), OWN_NAME)

    async def _refuse(self, consent: Consent, token: Sealed, name: str) -> None:
        await self._revocations.add(
            Spent(consent=consent, token=token, name=name, reason=Ending.REFUSED)
        )

    async def _inspect(
        self, application: Application, consent: Consent, delegated: Delegated, own: Sealed
    ) -> Delegation:
        application.oauth.refuse_unfit(delegated)
        lasting_s = lifetime_s(delegated, minutes=application.forge.minutes)
        until = self._clocks.deadline(timedelta(seconds=lasting_s))
        with span(SPAN_IDENTIFY_USER):
            forge_user = await application.oauth.whose(
                delegated.token, owner=consent.destination.owner
            )
        identity = Identity(
            user=forge_user,
            kind=application.oauth.token_kind,
            scopes=application.oauth.scopes_of(delegated),
        )
        return Delegation(consent=consent, token=own, identity=identity, until=until)

    async def reuse(
        self, application: Application, consent: Consent, *, refuse: RefuseAccount
    ) -> Job | None:
        """A job from the delegation that the person's session still has here, asking nobody.

        Raises:
            Rejected, Retryable: the forge makes no child for this repository.

        """
        held = self._vault.held(consent.owner)
        if held is None:
            return None
        refuse(held.forge_user)
        child = await self._narrow(application, consent, self._cipher.open(held.token))
        ready = self._cipher.seal(child.token)
        async with AsyncExitStack() as undo:
            undo.push_async_callback(self._refuse, consent, ready, "child-0")
            job = _job(consent, held, ready=ready)
            self._vault.add_job(job)
            undo.pop_all()
        return job

    async def give_up(self, job: Job, reason: Ending) -> None:
        await self._revocations.add(*self._vault.end(job.consent.approval_id, reason))

    async def withdraw(self, job: Job, *, refusal: str) -> None:
        """End what was delegated for a job whose approvers may no longer promote."""
        spent = self._vault.withdraw(job, refusal=refusal)
        spent += self._vault.drop(job.consent.owner, Ending.WITHDRAWN)
        await self._revocations.add(*spent)

    async def token_for(self, application: Application, job: Job, *, key: bytes) -> Secret:
        """The token for one redemption, counted before it is made.

        Raises:
            Rejected: `expired`, `limit`, `replay`, or the forge's refusal.

        """
        known = self._vault.reserve(job, key=key)
        if known is not None:
            return self._cipher.open(known)
        held = self._vault.held(job.consent.owner)
        if held is None:
            name = job.consent.approval_id
            raise Rejected(
                ConsentRefusal.EXPIRED, f"no delegation is held any more for approval {name!r}"
            )
        child = await self._narrow(application, job.consent, self._cipher.open(held.token))
        spent = self._vault.add_child(job, self._cipher.seal(child.token))
        await self._revocations.add(*spent)
        self._vault.job(job.consent.approval_id)
        return child.token

    async def _narrow(self, application: Application, consent: Consent, token: Secret) -> Narrowed:
        to = consent.destination
        with span(SPAN_NARROW_TOKEN):
            return await application.oauth.narrow(token, owner=to.owner, repository=to.repository)


def _job(
    consent: Consent,
    delegation: Delegation,
    *,
    ready: Sealed | None = None,
    own: Sealed | None = None,
) -> Job:
    return Job(
        consent=consent,
        identity=delegation.identity,
        until=delegation.until,
        ready=ready,
        own=own,
    )
