"""Decisions about stored credentials: where they may be sent, and when to ask. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from countersign.auditor.refusals import GrantRefusal
from countersign.contracts.errors import Rejected
from countersign.contracts.forge_list import Forge, ForgeList
from countersign.contracts.messages import (
    CredentialUse,
    Destination,
    SecretRef,
    TokenChecked,
    TokenValidity,
)

# A dead token is asked about once an hour at most: forges take more for guessing and block us.
DEAD_PAUSE: Final = timedelta(hours=1)
# One token is not asked about more often by itself.
PROBE_PAUSE: Final = timedelta(minutes=1)
# Nor when somebody wants to know, or the forge refused it in use; what bounds those over an hour is
# our share of its owner's limit.
URGENT_PAUSE: Final = timedelta(seconds=5)
RETRY_FIRST: Final = timedelta(minutes=1)
RETRY_MAX: Final = timedelta(hours=1)
_DOUBLINGS_MAX: Final = 10
# The longest interval that the administrator may set, with its spread and a forge's rest.
PLAN_MAX: Final = timedelta(days=2)
SKEW_MAX: Final = timedelta(minutes=5)


class CredentialKey(NamedTuple):
    """A Secret: namespace and name."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    @property
    def ref(self) -> SecretRef:
        return SecretRef(namespace=self.namespace, name=self.name)


def key_of(ref: SecretRef) -> CredentialKey:
    return CredentialKey(namespace=ref.namespace, name=ref.name)


@dataclass(frozen=True, kw_only=True)
class Grant:
    """The forge that may be asked about a credential, and those of its uses that are not allowed.

    `forge` is none when it may be sent nowhere.
    """

    forge: Forge | None = None
    origins: tuple[str, ...] = ()
    # Of the repositories that it may be sent for, at that forge.
    owners: tuple[str, ...] = ()
    refused: tuple[tuple[Destination, GrantRefusal], ...] = ()


def grant_of(key: CredentialKey, uses: Iterable[CredentialUse], forges: ForgeList) -> Grant:
    """Decide by the administrator's list alone; an origin that is not on it gets nothing."""
    allowed: dict[str, Forge] = {}
    owners: set[tuple[str, str]] = set()
    refused: list[tuple[Destination, GrantRefusal]] = []
    origins: set[str] = set()
    for use in uses:
        if use.destination is None:
            continue
        where = use.destination
        origins.add(where.origin)
        try:
            forge = forges.find(where.origin)
        except Rejected:
            refused.append((where, GrantRefusal.FORGE_NOT_LISTED))
            continue
        if forge.allows(namespace=key.namespace, owner=where.owner, repository=where.repository):
            allowed[forge.origin] = forge
            owners.add((forge.origin, where.owner))
        else:
            refused.append((where, GrantRefusal.REPOSITORY_NOT_ALLOWED))
    first = min(allowed, default=None)
    return Grant(
        forge=allowed[first] if first is not None else None,
        origins=tuple(sorted(origins)),
        owners=tuple(sorted(owner for origin, owner in owners if origin == first)),
        refused=tuple(refused),
    )


@dataclass(frozen=True, kw_only=True)
class Probe:
    """The last question to a forge about a credential, and how it ended.

    `origin` is the forge's. `mark` tells one token from the next without being one; it is empty
    when it is not known, after a restart. `rest_until` is what the forge demanded.
    """

    at: datetime
    origin: str
    dead: bool = False
    mark: str = ""
    rest_until: datetime | None = None
    failures: int = 0


def is_another(last: Probe, *, mark: str, changed_at: datetime) -> bool:
    """Say if the Secret holds another token than the one that was asked about."""
    return mark != last.mark if last.mark else changed_at > last.at


def may_probe_at(
    last: Probe | None, *, mark: str, changed_at: datetime, urgent: bool = False
) -> datetime | None:
    """Return the moment from which on the forge may be asked; none: at once.

    Args:
        last: the probe before, if there was one.
        mark: of the token that is there now.
        changed_at: when the file with the token was last written.
        urgent: whether somebody waits for it.

    """
    if last is None:
        return None
    if is_another(last, mark=mark, changed_at=changed_at):
        return None
    usual = URGENT_PAUSE if urgent else PROBE_PAUSE
    pause = DEAD_PAUSE if last.dead else usual
    earliest = last.at + pause
    return max(earliest, last.rest_until) if last.rest_until else earliest


def next_check_at(
    probe: Probe | None, *, now: datetime, pause: timedelta, ends_at: datetime | None
) -> datetime:
    """Return when to look again without being asked to.

    Args:
        probe: the newest one; none where nothing could be asked.
        now: the moment of this check.
        pause: the usual one.
        ends_at: when the token expires.

    """
    usual = now + pause
    if probe is None:
        return usual
    if probe.dead:
        return max(usual, probe.at + DEAD_PAUSE)
    if probe.failures:
        doubled = RETRY_FIRST * 2 ** min(probe.failures - 1, _DOUBLINGS_MAX)
        usual = min(usual, now + min(doubled, RETRY_MAX))
    if ends_at is not None and now < ends_at < usual:
        usual = ends_at
    return max(usual, probe.rest_until) if probe.rest_until else usual


def wants_probe(
    last: Probe | None, *, mark: str, changed_at: datetime, refused_at: datetime | None
) -> bool:
    """Say if there is news that only the forge can tell, beside what the schedule says."""
    if last is None or is_another(last, mark=mark, changed_at=changed_at):
        return True
    return refused_at is not None and refused_at > last.at


def planned_at(checked: TokenChecked | None, *, now: datetime) -> datetime | None:
    """Return when the next check was planned; a plan for a day far off is none."""
    planned = checked.next_check_at if checked else None
    return planned if planned is not None and planned - now <= PLAN_MAX else None


def probe_of(checked: TokenChecked | None, *, now: datetime) -> Probe | None:
    """Return the last question as the last event tells it, for a start after a restart."""
    if checked is None or checked.checked_at is None or checked.checked_at - now > SKEW_MAX:
        return None
    if checked.validity in {TokenValidity.VALID, TokenValidity.INVALID}:
        dead = checked.validity is TokenValidity.INVALID
        return Probe(at=checked.checked_at, origin=checked.origin, dead=dead)
    return None


def says_the_same(one: TokenChecked, other: TokenChecked | None) -> bool:
    """Say if only the times of the checks differ."""
    if other is None:
        return False
    times = {"checked_at": None, "next_check_at": None}
    return one.model_copy(update=times) == other.model_copy(update=times)
