"""The time line of a credential: what its checks found, what it was used for. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from countersign.contracts.messages import (
    CredentialMode,
    SecretRef,
    TokenChange,
    TokenChangeKind,
    TokenChecked,
)
from countersign.dialects.pages import pull_request_reference
from countersign.gateway.model import Link, PipelineKey, Sentence
from countersign.gateway.text import addresses
from countersign.gateway.text.forge_links import ForgeLinks
from countersign.gateway.timeline.moments import name_of
from countersign.gateway.timeline.timelines import Timeline
from countersign.gateway.view.risks import VALIDITY_LOOKS

ENTRIES_MAX: Final = 100
CHANGE_WORDS: Final = {
    TokenChangeKind.UNSPECIFIED: "changed",
    TokenChangeKind.FIRST_CHECKED: "checked for the first time",
    TokenChangeKind.VALIDITY: "found",
    TokenChangeKind.REPLACED: "the Secret got another token",
    TokenChangeKind.SCOPES: "its scopes changed",
    TokenChangeKind.OWNER: "its owner, or the owner's standing, changed",
    TokenChangeKind.EXPIRY: "its expiry changed",
}


@dataclass(frozen=True, kw_only=True)
class Entry:
    """Something that happened to a credential, or with it."""

    at: datetime
    # As a time line is drawn: `requested`, `failed`, `opened`, …
    kind: str
    said: Sentence


def history_of(
    checked: TokenChecked, timelines: Iterable[Timeline], *, links: ForgeLinks
) -> list[Entry]:
    """Return its past as far as it is known, newest first."""
    entries = [_changed(change) for change in checked.history]
    for timeline in timelines:
        if _used(timeline, checked.credential):
            entries += _promoted(timeline, links)
    return sorted(entries, key=lambda e: e.at, reverse=True)[:ENTRIES_MAX]


def _changed(change: TokenChange) -> Entry:
    look = VALIDITY_LOOKS[change.validity]
    said = CHANGE_WORDS[change.kind]
    whose = f", owned by {change.owner.login}" if change.owner else ""
    bad = look.tone.value == "bad"
    return Entry(
        at=change.at,
        kind="failed" if bad else "completed" if look.tone.value == "good" else "requested",
        said=(f"{said}: {look.word}{whose}",),
    )


def _used(timeline: Timeline, credential: SecretRef) -> bool:
    """Tell whether its pull request was opened with this very credential."""
    promotion = timeline.promotion
    stored = promotion.opened_mode in {CredentialMode.STORED, CredentialMode.APP}
    return stored and promotion.request.secret == credential


def _promoted(timeline: Timeline, links: ForgeLinks) -> list[Entry]:
    promotion = timeline.promotion
    ref, pull = promotion.request.promotion, promotion.pull_request
    page = Link(
        f"{ref.pipeline.name} to {ref.environment}", addresses.promotion(timeline.promotion_id)
    )
    opened = next((m.at for m in timeline.moments if m.kind == "opened" and m.at), None)
    entries = []
    if opened is not None and pull is not None:
        at_forge = links.pull_request(pull)
        number = pull_request_reference(pull)
        shown = Link(number, at_forge, external=True) if at_forge else number
        author = name_of(promotion.author)
        by = f" by {author}" if author else ""
        entries.append(Entry(at=opened, kind="opened", said=("opened ", shown, f"{by} for ", page)))
    return entries


def uses_in(timelines: Iterable[Timeline], key: PipelineKey) -> list[Timeline]:
    """Promotions whose pull request was opened with the credential, newest first."""
    credential = SecretRef(namespace=key.namespace, name=key.name)
    found = [t for t in timelines if _used(t, credential)]
    return sorted(found, key=lambda t: -t.sequence)
