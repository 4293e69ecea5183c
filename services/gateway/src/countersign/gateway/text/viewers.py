"""Links to a team's own dashboards, built from templates that the administrator wrote. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from countersign.contracts.errors import Rejected
from countersign.contracts.messages import ObjectRef
from countersign.gateway.refusals import Refusal

LINKS_MAX: Final = 5
_PLACE: Final = re.compile(r"\{([a-z_]*)\}")
_ADDRESS: Final = re.compile(r"https?://[^\s<>\"'`{}]+(?:\{[a-z_]+\}[^\s<>\"'`{}]*)*")
TRACE_PLACES: Final = frozenset({"trace_id"})
OBJECT_PLACES: Final = frozenset({"cluster", "namespace", "kind", "resource", "name"})


@dataclass(frozen=True, kw_only=True)
class ViewerLink:
    """A link to one dashboard."""

    label: str
    href: str


@dataclass(frozen=True, kw_only=True)
class Viewers:
    """The templates: of a trace, and of an object, by the name of the dashboard."""

    trace_template: str = ""
    object_templates: tuple[tuple[str, str], ...] = ()

    def trace(self, trace_id: str) -> str:
        """Return the trace's page; empty where no viewer is configured."""
        if not trace_id or not self.trace_template:
            return ""
        return _filled(self.trace_template, {"trace_id": trace_id})

    def objects(self, app: ObjectRef, *, cluster: str, namespace: str) -> tuple[ViewerLink, ...]:
        """Return the pages of an application's object in one target."""
        values = {
            "cluster": cluster,
            "namespace": namespace,
            "kind": app.kind,
            "resource": f"{app.kind.lower()}s",
            "name": app.name,
        }
        return tuple(
            ViewerLink(label=label, href=_filled(template, values))
            for label, template in self.object_templates
        )


def _filled(template: str, values: Mapping[str, str]) -> str:
    return _PLACE.sub(lambda match: quote(values[match[1]], safe=""), template)


def parse_viewers(*, trace: str, objects: str) -> Viewers:
    """Read the templates; `objects` is `Label=https://…` several times, with spaces between.

    Raises:
        Rejected: `viewer_link`; no such address, or a place in it that has no value.

    """
    pairs = [pair.partition("=") for pair in objects.split()]
    templates = tuple((label.replace("_", " "), template) for label, _, template in pairs)
    if len(templates) > LINKS_MAX:
        raise Rejected(Refusal.VIEWER_LINK, f"at most {LINKS_MAX} dashboards can be linked")
    if trace:
        _check(trace, TRACE_PLACES)
    for label, template in templates:
        if not label:
            raise Rejected(Refusal.VIEWER_LINK, f"{template!r} has no label: Label=https://…")
        _check(template, OBJECT_PLACES)
    return Viewers(trace_template=trace, object_templates=templates)


def _check(template: str, places: frozenset[str]) -> None:
    unknown = set(_PLACE.findall(template)) - places
    if not _ADDRESS.fullmatch(template):
        raise Rejected(Refusal.VIEWER_LINK, f"{template!r} is not the address of a web page")
    if unknown:
        raise Rejected(
            Refusal.VIEWER_LINK,
            f"{template!r} names {', '.join(sorted(unknown))}; known: {', '.join(sorted(places))}",
        )
