"""The parts of the service, put together; without a bus, a cluster or a clock of its own."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from countersign.approval.consent.admission import Admission
from countersign.approval.consent.consents import Consents
from countersign.approval.consent.decisions import Decisions
from countersign.approval.consent.device_sign_ins import DeviceSignIns
from countersign.approval.consent.grants import Grants
from countersign.approval.consent.sign_in_flow import SignInFlow
from countersign.approval.delegation.delegations import Delegations
from countersign.approval.delegation.proofs import Nonces, Proofs
from countersign.approval.delegation.redemptions import Redemptions
from countersign.approval.delegation.signatures import Writers
from countersign.approval.handlers import Handlers
from countersign.approval.interfaces import (
    Applications,
    Authorizer,
    Publisher,
    Replicas,
)
from countersign.approval.promotions.announcements import Announcements
from countersign.approval.promotions.environments import Environments
from countersign.approval.promotions.pace import Pace
from countersign.approval.promotions.projection import Promotions
from countersign.approval.revocation.endings import Endings
from countersign.approval.revocation.reactions import Reactions
from countersign.approval.revocation.revocations import Revocations
from countersign.approval.schedule import Schedule
from countersign.approval.vault.ciphers import Cipher
from countersign.approval.vault.sign_ins import SignIns
from countersign.approval.vault.vault import Vault
from countersign.process.clocks import Clocks

_ID_BYTES: Final = 16


@dataclass(frozen=True, kw_only=True)
class Neighbours:
    """The bus: this replica's name on it, who hears it, and whether other replicas live."""

    replica: str
    publisher: Publisher
    replicas: Replicas


@dataclass(frozen=True, kw_only=True)
class Permissions:
    """The rights of people to promote, and of writers to redeem."""

    authorizer: Authorizer
    writers: Writers


@dataclass(frozen=True, kw_only=True)
class Dice:
    """Sources of what nobody can guess, from so many random bytes: for an URL, and as an id."""

    text: Callable[[int], str]
    hexadecimal: Callable[[int], str]

    def new_id(self) -> str:
        return self.hexadecimal(_ID_BYTES)


@dataclass(frozen=True, kw_only=True)
class Service:
    handlers: Handlers
    promotions: Promotions
    reactions: Reactions
    schedule: Schedule
    endings: Endings
    revocations: Revocations
    devices: DeviceSignIns
    caught_up: asyncio.Event


def build(
    *,
    applications: Applications,
    neighbours: Neighbours,
    permissions: Permissions,
    clocks: Clocks,
    dice: Dice,
) -> Service:
    replica = neighbours.replica
    cipher, caught_up = Cipher(), asyncio.Event()
    promotions = Promotions(pace=Pace(monotonic_s=clocks.monotonic, now=clocks.wall))
    vault, sign_ins = Vault(clocks=clocks), SignIns(clocks=clocks)
    announcements = Announcements(neighbours.publisher, replica=replica, now=clocks.wall)
    revocations = Revocations(
        applications, cipher=cipher, announcements=announcements, sleep=clocks.sleep
    )
    delegations = Delegations(vault=vault, cipher=cipher, revocations=revocations, clocks=clocks)
    endings = Endings(
        replica=replica,
        promotions=promotions,
        vault=vault,
        sign_ins=sign_ins,
        revocations=revocations,
        announcements=announcements,
        clocks=clocks,
    )
    flow = SignInFlow(
        replica=replica,
        sign_ins=sign_ins,
        cipher=cipher,
        announcements=announcements,
        clocks=clocks,
        random_text=dice.text,
    )
    environments = Environments()
    admission = Admission(
        promotions=promotions,
        environments=environments,
        authorizer=permissions.authorizer,
        announcements=announcements,
    )
    consents = _consents(applications, delegations, flow, admission, dice)
    redemptions = Redemptions(
        proofs=_proofs(replica, permissions, clocks),
        promotions=promotions,
        environments=environments,
        vault=vault,
        delegations=delegations,
        applications=applications,
        authorizer=permissions.authorizer,
    )
    handlers = Handlers(
        replica=replica,
        consents=consents,
        decisions=_decisions(consents, clocks),
        redemptions=redemptions,
        endings=endings,
        vault=vault,
        sign_ins=sign_ins,
    )
    return Service(
        handlers=handlers,
        promotions=promotions,
        reactions=_reactions(endings, environments, caught_up),
        schedule=_schedule(endings, neighbours, clocks),
        endings=endings,
        revocations=revocations,
        devices=consents.devices,
        caught_up=caught_up,
    )


def _consents(
    applications: Applications,
    delegations: Delegations,
    flow: SignInFlow,
    admission: Admission,
    dice: Dice,
) -> Consents:
    grants = Grants(
        admission=admission, delegations=delegations, announcements=admission.announcements
    )
    return Consents(
        admission=admission,
        applications=applications,
        delegations=delegations,
        flow=flow,
        devices=DeviceSignIns(
            applications=applications, delegations=delegations, flow=flow, grants=grants
        ),
        grants=grants,
        new_id=dice.new_id,
    )


def _decisions(consents: Consents, clocks: Clocks) -> Decisions:
    return Decisions(
        admission=consents.admission,
        applications=consents.applications,
        grants=consents.grants,
        announcements=consents.admission.announcements,
        new_id=consents.new_id,
        now=clocks.wall,
    )


def _reactions(endings: Endings, environments: Environments, caught_up: asyncio.Event) -> Reactions:
    return Reactions(
        promotions=endings.promotions,
        environments=environments,
        vault=endings.vault,
        revocations=endings.revocations,
        sign_ins=endings.sign_ins,
        announcements=endings.announcements,
        caught_up=caught_up,
    )


def _schedule(endings: Endings, neighbours: Neighbours, clocks: Clocks) -> Schedule:
    return Schedule(
        replica=neighbours.replica,
        promotions=endings.promotions,
        endings=endings,
        announcements=endings.announcements,
        replicas=neighbours.replicas,
        clocks=clocks,
    )


def _proofs(replica: str, permissions: Permissions, clocks: Clocks) -> Proofs:
    return Proofs(
        replica=replica,
        writers=permissions.writers,
        nonces=Nonces(monotonic_s=clocks.monotonic),
        now=clocks.wall,
    )
