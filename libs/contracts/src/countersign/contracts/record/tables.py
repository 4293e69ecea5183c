"""Rows of the record as CSV that a spreadsheet opens as it is meant."""

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any, Final

from countersign.contracts.record.rows import RecordRow

# A spreadsheet reads UTF-8 for what it is only behind this mark.
BYTE_ORDER_MARK: Final = "\ufeff"
# A cell that begins so is a formula to a spreadsheet, also where it is written in full width.
# https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_BETWEEN: Final = " | "
# Column, and where its cells are in a row as JSON; several values stand in one cell.
_PLACES: Final[Mapping[str, str]] = {
    "requested_at": "requestedAt",
    "requested_by": "requestedBy.name",
    "requested_by_id": "requestedBy.id",
    "namespace": "namespace",
    "pipeline": "pipeline",
    "environment": "environment",
    "revision_from": "change.revisionFrom",
    "revision_to": "change.revisionTo",
    "marker": "change.marker",
    "origin": "change.origin",
    "repository": "change.repository",
    "branch": "change.branch",
    "path": "change.path",
    "files": "pullRequest.files",
    "credential": "credential",
    "secret": "secret",
    "approvals_needed": "approvalsNeeded",
    "decision": "decisions.outcome",
    "decided_at": "decisions.at",
    "decided_by": "decisions.by.name",
    "decided_by_id": "decisions.by.id",
    "decision_reason": "decisions.reason",
    "decision_ended": "decisions.ended",
    "approval_id": "decisions.approvalId",
    "consent_digest": "decisions.consentDigest",
    "forge_login": "decisions.delegation.account.login",
    "forge_id": "decisions.delegation.account.id",
    "token_kind": "decisions.delegation.kind",
    "token_scopes": "decisions.delegation.scopes",
    "token_redeemed_at": "decisions.delegation.redeemedAt",
    "token_ended_at": "decisions.delegation.endedAt",
    "token_end": "decisions.delegation.end",
    "token_end_reason": "decisions.delegation.endReason",
    "pull_request": "pullRequest.url",
    "pull_request_number": "pullRequest.number",
    "pull_request_author": "pullRequest.author.login",
    "opened_at": "pullRequest.openedAt",
    "merged_at": "pullRequest.mergedAt",
    "merged_by": "pullRequest.mergedBy.login",
    "merge_commit": "pullRequest.mergeCommit",
    "closed_at": "pullRequest.closedAt",
    "closed_by": "pullRequest.closedBy.login",
    "state": "state",
    "state_at": "stateAt",
    "reason": "reason",
    "promotion_id": "promotionId",
    "attempt": "attempt",
    "trace_id": "traceId",
    "as_of": "asOf",
}
COLUMNS: Final = tuple(_PLACES)


def csv_head() -> str:
    """The first line of CSV (RFC 4180), behind a byte order mark."""
    return BYTE_ORDER_MARK + _line(COLUMNS)


def csv_line(row: RecordRow) -> str:
    return _line(cells(row).values())


def _line(cells: Iterable[str]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow(cells)
    return out.getvalue()


def cells(row: RecordRow) -> dict[str, str]:
    """The cells of a row, harmless to a spreadsheet."""
    body = row.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return {name: _cell(body, place) for name, place in _PLACES.items()}


def _cell(body: dict[str, Any], place: str) -> str:
    found = _BETWEEN.join(_values(body, place.split(".")))
    # Several values keep their places, where there are any at all.
    return _harmless(found) if found.strip(_BETWEEN) else ""


def _values(value: Any, path: list[str]) -> list[str]:
    if isinstance(value, list):
        each = [_values(one, path) for one in value]
        return [" ".join(one) for one in each] if path else [" ".join(map(str, value))]
    if not path:
        return [str(value)]
    inner = value.get(path[0]) if isinstance(value, dict) else None
    return [""] if inner is None else _values(inner, path[1:])


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
