"""Jinja, set up once: everything is escaped, and the same parts make pages and live changes."""

import re
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from countersign.contracts.messages import CredentialMode, FindingLevel, TokenKind
from countersign.contracts.promotion import Note, State
from countersign.contracts.revision import short
from countersign.dialects.pages import pull_request_reference
from countersign.gateway.gate_states import STATES, Show, Tone
from countersign.gateway.gates.meanings import MEANINGS
from countersign.gateway.gates.sentences import brief
from countersign.gateway.html.static_files import StaticFiles
from countersign.gateway.interfaces import Clock, Dice, FeedStatus
from countersign.gateway.model import (
    Code,
    GateKey,
    GateView,
    Link,
    May,
    Part,
    PipelineKey,
    Track,
    When,
)
from countersign.gateway.model import Moment as ClockTime
from countersign.gateway.text import addresses, ages
from countersign.gateway.text.commands import look_lines
from countersign.gateway.text.forge_links import ForgeLinks
from countersign.gateway.text.lettering import visible
from countersign.gateway.text.viewers import Viewers
from countersign.gateway.timeline.moments import Moment
from countersign.gateway.timeline.timelines import Timeline
from countersign.gateway.view.boards import LABELS, Query, Waiting
from countersign.gateway.view.histories import HOW_WORDS
from countersign.gateway.view.lanes import lane
from countersign.gateway.view.records import (
    MODE_WORDS,
    REVOCATION_WORDS,
    TOKEN_KIND_WORDS,
    decided,
    state_words,
    token_word,
)
from countersign.gateway.view.sheets import Sheet
from countersign.gateway.view.tracks import plain

MARK_BYTES: Final = 16
_CODE: Final = re.compile(r"`([^`]{1,4096})`")


@dataclass(frozen=True, kw_only=True)
class GatePage:
    """A gate or a promotion, as one person is shown it."""

    gate: GateView | None
    timeline: Timeline | None
    # Where nothing is under way: the promotion that was the last one here.
    last: Timeline | None = None
    may: bool = False
    # Whether this person is signing in.
    mine: bool = False
    # Where a promotion that arrived can go on to.
    next_environment: str = ""


def gate_page(
    track: Track | None, timeline: Timeline | None, at: GateKey, may: May, past: Sequence[Timeline]
) -> GatePage:
    """Put together what the page of a gate shows, live and after a reload alike.

    `past` are the promotions into that environment, oldest first.
    """
    gate = track.gate(at.environment) if track else None
    if timeline is not None and gate is not None and gate.promotion_id != timeline.promotion_id:
        gate = None
    return GatePage(
        gate=gate,
        timeline=timeline,
        last=past[-1] if past and timeline is None else None,
        may=may(at),
        mine=gate is not None and may.person_id in gate.begun_by,
        next_environment=track.after(at.environment) if track else "",
    )


_NO_VIEWERS: Final = Viewers()


class Templates:
    """Owns the template environment."""

    def __init__(
        self,
        *,
        clock: Clock,
        dice: Dice,
        static: StaticFiles,
        links: ForgeLinks,
        viewers: Viewers = _NO_VIEWERS,
    ) -> None:
        self.clock = clock
        # Stands for the form token in what is rendered once for many; nobody can guess it.
        self.form_token_mark = dice(MARK_BYTES).hex()
        self._environment = Environment(
            loader=PackageLoader("countersign.gateway"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
            finalize=_shown,
        )
        self._environment.filters.update(
            short=short,
            brief=brief,
            reference=pull_request_reference,
            decided=decided,
            state_words=state_words,
            token_word=token_word,
            token_kind=TOKEN_KIND_WORDS.__getitem__,
            token_end=REVOCATION_WORDS.__getitem__,
            mode_words=MODE_WORDS.__getitem__,
            prose=prose,
            unquoted=unquoted,
            as_sentence=as_sentence,
            absolute=ages.absolute,
            dated=ages.dated,
            machine=ages.machine,
            clock=ages.clock,
            initials=initials,
            kind_of_part=kind_of_part,
        )
        self._environment.globals.update(
            at=addresses,
            links=links,
            static=static.address,
            LABELS=LABELS,
            Show=Show,
            State=State,
            Note=Note,
            Tone=Tone,
            Mode=CredentialMode,
            TokenKind=TokenKind,
            FindingLevel=FindingLevel,
            durations=durations,
            lane=lane,
            look_lines=look_lines,
            viewers=viewers,
            HOW=HOW_WORDS,
            GATE_MEANINGS=[(STATES[s].look, words) for s, words in MEANINGS.items()],
            plain=plain,
            until=lambda at: ages.until(at, now=clock()),
            relative=lambda at: ages.relative(at, now=clock()),
            coming_up=lambda at: at > clock(),
        )

    def page(self, name: str, **values: Any) -> str:
        """A template with everything that all of them may use."""
        return self._environment.get_template(name).render(**values)

    def partial(self, target: str, html: str, *, swap: str = "innerMorph") -> str:
        """A change for one element of a page that is open."""
        return f'<hx-partial hx-target="#{target}" hx-swap="{swap}">{html}</hx-partial>'

    def track(
        self,
        key: PipelineKey,
        track: Track | None,
        *,
        may: AbstractSet[str],
        mine: AbstractSet[str] = frozenset(),
        changed: AbstractSet[str] = frozenset(),
    ) -> str:
        html = self.page("_track.html", key=key, track=track, may=may, mine=mine)
        row = self.partial(addresses.dom_id("track", *key), html, swap="outerMorph")
        return row + self._changes(track, changed)

    def _changes(self, track: Track | None, changed: AbstractSet[str]) -> str:
        """Announce the gate whose promotion changed, if one did."""
        gates = track.gates if track else ()
        said = [g for g in gates if g.promotion_id and g.promotion_id in changed]
        return self._announced(track.key, said[-1]) if track and said else ""

    def _announced(self, key: PipelineKey, gate: GateView) -> str:
        """Announce a gate; the same words again change nothing, so they are not said again."""
        return self.partial("announcer", self.page("_announcement.html", key=key, gate=gate))

    def pipeline(
        self,
        track: Track | None,
        history: Sequence[Timeline],
        *,
        may: AbstractSet[str],
        mine: AbstractSet[str] = frozenset(),
        changed: AbstractSet[str] = frozenset(),
    ) -> str:
        if track is None:
            return self.partial("live", self.page("_gone.html"))
        html = self.page("_pipeline.html", track=track, history=history, may=may, mine=mine)
        return self.partial("live", html) + self._changes(track, changed)

    def gate(self, key: PipelineKey, shown: GatePage) -> str:
        html = self.page("_gate.html", key=key, shown=shown, form_token=self.form_token_mark)
        said = self._announced(key, shown.gate) if shown.gate else ""
        # A code was for a sign-in that has ended.
        ended = "" if shown.mine else self.partial("code", "")
        return self.partial("live", html) + ended + said

    def sheet(self, sheet: Sheet) -> str:
        html = self.page("_consent.html", sheet=sheet, form_token=self.form_token_mark)
        said = self._announced(sheet.key, sheet.gate) if sheet.gate else ""
        return self.partial("live", html) + said

    def summary(
        self, waiting: Sequence[Waiting], counts: Mapping[Show, int], *, namespace: str
    ) -> str:
        more = Query(show=Show.NEEDS_ME, namespace=namespace).address()
        strip = self.page("_waiting.html", waiting=waiting, more=more)
        parts = [self.partial("waiting", strip)]
        parts += [self.partial(f"count-{s.value}", str(n)) for s, n in counts.items()]
        return "\n".join(parts)

    def banner(self, status: FeedStatus) -> str:
        """Say how the bus is, to be seen and, without an age that ticks, to be heard."""
        seen, heard = (self.page(f"_{n}.html", status=status).strip() for n in ("banner", "notice"))
        return self.partial("banner", seen) + self.partial("notice", heard)

    def new_tracks(self, count: int) -> str:
        return self.partial("new-tracks", self.page("_new_tracks.html", count=count))


def _shown(value: object) -> object:
    """Escape hidden characters of whatever a template shows; HTML of ours is left alone."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def initials(name: str) -> str:
    """Two letters that stand for a person."""
    words = [w for w in name.replace("-", " ").replace(".", " ").split() if w[0].isalnum()]
    letters = words[0][0] + words[-1][0] if len(words) > 1 else name[:2]
    return letters.upper()


def kind_of_part(part: Part) -> str:
    if isinstance(part, When):
        return "when"
    if isinstance(part, ClockTime):
        return "clock"
    if isinstance(part, Code):
        return "code"
    return "link" if isinstance(part, Link) else "text"


def prose(text: str) -> Markup:
    """Text of a finding as HTML: escaped, and what stands between backticks as code."""
    parts = (
        Markup("<code>{}</code>").format(part) if i % 2 else escape(part)
        for i, part in enumerate(_CODE.split(visible(text)))
    )
    return Markup("").join(parts)


def unquoted(text: str) -> str:
    """The same where no markup can be."""
    return _CODE.sub(r"\1", text)


def as_sentence(text: str) -> str:
    """Make a sentence that stands alone of a service's error message."""
    text = text.strip()
    first = text.partition(" ")[0]
    if first.isalpha() and first.islower():
        text = text[0].upper() + text[1:]
    return text if not text or text.endswith((".", "?", "…", "”")) else f"{text}."


def durations(moments: Sequence[Moment]) -> list[tuple[Moment, str]]:
    """Each moment with the time since the one before it."""
    found: list[tuple[Moment, str]] = []
    before: datetime | None = None
    for moment in moments:
        took = ages.duration(before, moment.at) if before and moment.at else ""
        found.append((moment, took))
        before = moment.at or before
    return found


def safe(html: str) -> Markup:
    """Mark as HTML what one of our templates made."""
    return Markup(html)  # noqa: S704 - only ever given what a template escaped
