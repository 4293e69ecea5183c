"""Events of Flux's notification-controller about an object; never more than hints.

Source: https://github.com/fluxcd/pkg/blob/main/apis/event/v1beta1/event.go
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from countersign.contracts.errors import Rejected
from countersign.kube.objects import group_of, mapping, text
from countersign.watcher.refusals import WatcherRefusal

# A message has at most 39,000 characters, which JSON may write with six bytes each.
BODY_BYTES_MAX: Final = 256 * 1024
_ERROR: Final = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class FluxEvent:
    """`revision` may be one that failed, or one that somebody wrote into an annotation."""

    group: str
    kind: str
    namespace: str
    name: str
    reason: str
    severity: str
    revision: str
    # Sent at each interval though nothing changed.
    is_repeated: bool

    @property
    def tells_failure(self) -> bool:
        return self.severity == _ERROR


def read_event(body: bytes) -> FluxEvent:
    """Read an event.

    Raises:
        Rejected: `malformed`; it is not JSON, or a field has another type.

    """
    if len(body) > BODY_BYTES_MAX:
        raise Rejected(WatcherRefusal.MALFORMED, "the event is too long")
    try:
        event: Any = json.loads(body)
    except (ValueError, RecursionError):
        raise Rejected(WatcherRefusal.MALFORMED, "the event is not JSON") from None
    if not isinstance(event, Mapping):
        raise Rejected(WatcherRefusal.MALFORMED, "the event is not an object")
    involved, metadata = event.get("involvedObject"), event.get("metadata")
    told = {name: event.get(name, "") for name in ("severity", "reason")}
    if not all(part is None or _is_text(part) for part in (involved, metadata, told)):
        raise Rejected(WatcherRefusal.MALFORMED, "a field of the event has another type")
    return FluxEvent(
        group=group_of(text(involved, "apiVersion")),
        kind=text(involved, "kind"),
        namespace=text(involved, "namespace"),
        name=text(involved, "name"),
        reason=text(event, "reason"),
        severity=text(event, "severity"),
        revision=text(metadata, "revision"),
        is_repeated=text(mapping(metadata), "commit_status") == "update",
    )


def _is_text(part: object) -> bool:
    return isinstance(part, Mapping) and all(isinstance(value, str) for value in part.values())
