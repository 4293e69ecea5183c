"""The past of a credential: what changed from one check to the next. Pure."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from countersign.contracts.messages import TokenChange, TokenChangeKind, TokenChecked

CHANGES_MAX: Final = 50


def with_history(now: TokenChecked, before: TokenChecked | None, *, replaced: bool) -> TokenChecked:
    """Return the check with the history of the one before, and what is new, added.

    Args:
        now: this check.
        before: the last one that was told; its history goes on.
        replaced: whether the Secret holds another token than it did then.

    """
    at = now.checked_at
    past = before.history if before else ()
    if at is None:
        return now.model_copy(update={"history": past})
    new = tuple(_entry(kind, now, at=at) for kind in _kinds(now, before, replaced=replaced))
    return now.model_copy(update={"history": (*past, *new)[-CHANGES_MAX:]})


def _kinds(
    now: TokenChecked, before: TokenChecked | None, *, replaced: bool
) -> Iterator[TokenChangeKind]:
    if before is None or not before.history:
        yield TokenChangeKind.FIRST_CHECKED
        return
    if replaced:
        yield TokenChangeKind.REPLACED
    if (now.validity, now.why) != (before.validity, before.why):
        yield TokenChangeKind.VALIDITY
    if replaced:
        return
    # What one check did not learn is no change.
    other = now.owner and before.owner and now.owner.id != before.owner.id
    if other or now.owner_standing is not before.owner_standing:
        yield TokenChangeKind.OWNER
    if now.scopes and before.scopes and now.scopes != before.scopes:
        yield TokenChangeKind.SCOPES
    if now.expiry_known and before.expiry_known and now.expires_at != before.expires_at:
        yield TokenChangeKind.EXPIRY


def _entry(kind: TokenChangeKind, now: TokenChecked, *, at: datetime) -> TokenChange:
    return TokenChange(at=at, kind=kind, validity=now.validity, why=now.why, owner=now.owner)
