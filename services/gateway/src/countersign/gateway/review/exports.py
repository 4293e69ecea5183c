"""Exports of the credentials board and of an environment, for spreadsheets and programs. Pure.

Cells are text; one that a spreadsheet would take for a formula begins with an apostrophe.
"""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from countersign.gateway.review.environments import EVIDENCE_WORDS, EnvironmentReview
from countersign.gateway.text import ages
from countersign.gateway.timeline.moments import name_of
from countersign.gateway.view.risks import CredentialView

# Spreadsheets read UTF-8 by this alone.
BOM: Final = "\ufeff"
# https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
UNKNOWN: Final = "unknown"
NEVER: Final = "never"

Row = dict[str, str]


def credential_rows(views: Iterable[CredentialView]) -> list[Row]:
    """One row for each credential; what is not known says so."""
    return [_credential(view) for view in views]


def _credential(view: CredentialView) -> Row:
    c = view.checked
    ends = _time(c.expires_at) or (NEVER if c.expiry_known else UNKNOWN)
    return {
        "namespace": view.key.namespace,
        "secret": view.key.name,
        "risk": view.risk.name.lower(),
        "validity": c.validity.name.lower(),
        "reason": c.reason,
        "owner": view.owner or UNKNOWN,
        "owner_kind": c.owner_kind.name.lower().replace("unspecified", UNKNOWN),
        "owner_standing": c.owner_standing.name.lower().replace("unspecified", UNKNOWN),
        "kind": view.kind,
        "forge": c.origin,
        "scopes": " ".join(c.scopes) or UNKNOWN,
        "repositories": " ".join(c.repositories) or UNKNOWN,
        "expires_at": ends,
        "created_at": _time(c.created_at) or UNKNOWN,
        "secret_written_at": _time(c.written_at) or UNKNOWN,
        "last_used_by_us_at": _time(view.last_used_by_us_at) or UNKNOWN,
        "last_used_reported_at": _time(c.last_used_reported_at) or UNKNOWN,
        "checked_at": _time(c.checked_at),
        "next_check_at": _time(c.next_check_at),
        "used_by": " ".join("/".join((*(u.pipeline or ()), u.environment)) for u in view.uses),
        "findings": "; ".join(f"{f.code}: {f.message}" for f in view.findings),
        "remedies": "; ".join(f"{f.code}: {f.remedy}" for f in view.findings if f.remedy),
    }


def environment_rows(found: EnvironmentReview) -> list[Row]:
    """One row for each way in: a right, a stored token and its readers, a delegation."""
    rows = [
        _way(
            found,
            way="right to promote",
            who=_holder(h.kind, h.namespace, h.name),
            what=h.through,
            until="until the binding is removed",
        )
        for h in found.reach.promoters.holders
    ]
    rows.append(
        _way(
            found,
            way="right to promote",
            who="",
            what=EVIDENCE_WORDS[found.reach.promoters.evidence],
            until="",
        )
    )
    for view in found.credentials:
        c = view.checked
        ends = _time(c.expires_at) or (NEVER if c.expiry_known else UNKNOWN)
        what = f"{view.kind} in Secret {view.key.name}: {' '.join(c.scopes) or UNKNOWN}"
        rows.append(
            _way(found, way="stored token", who=view.owner or UNKNOWN, what=what, until=ends)
        )
    for secret, readers in found.reach.readers.items():
        for h in readers.holders:
            who = _holder(h.kind, h.namespace, h.name)
            what = f"reads Secret {secret} by {h.through or 'membership'}"
            rows.append(_way(found, way="reader of the Secret", who=who, what=what, until=""))
        told = f"Secret {secret}: {EVIDENCE_WORDS[readers.evidence]}"
        rows.append(_way(found, way="reader of the Secret", who="", what=told, until=""))
    for d in found.delegations:
        login = name_of(d.forge_user)
        what = f"delegated as {login} for {d.destination.owner}/{d.destination.repository}"
        rows.append(
            _way(
                found,
                way="live delegation",
                who=d.by.id,
                what=what,
                until=ages.machine(d.expires_at),
            )
        )
    return rows


def _way(found: EnvironmentReview, *, way: str, who: str, what: str, until: str) -> Row:
    gate = found.at
    return {
        "namespace": gate.pipeline.namespace,
        "pipeline": gate.pipeline.name,
        "environment": gate.environment,
        "way": way,
        "who": who,
        "with_what": what,
        "until": until,
    }


def _holder(kind: str, namespace: str, name: str) -> str:
    return f"{kind} {namespace + '/' if namespace else ''}{name}"


def _time(at: datetime | None) -> str:
    return ages.machine(at) if at else ""


def as_csv(rows: Sequence[Row], *, columns: Sequence[str]) -> str:
    """Write rows for spreadsheets; the columns stand there when there is no row, too."""
    out = io.StringIO()
    out.write(BOM)
    writer = csv.DictWriter(out, fieldnames=list(columns), lineterminator="\r\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: harmless(cell) for name, cell in row.items()})
    return out.getvalue()


def as_json(rows: Sequence[Row]) -> str:
    return json.dumps({"items": rows}, ensure_ascii=False)


def harmless(cell: str) -> str:
    """Return a cell that is no formula, nor becomes one behind a separator or white space."""
    return f"'{cell}" if cell.lstrip().startswith(_FORMULA) or cell.startswith(_FORMULA) else cell


CREDENTIAL_COLUMNS: Final = (
    "namespace",
    "secret",
    "risk",
    "validity",
    "reason",
    "owner",
    "owner_kind",
    "owner_standing",
    "kind",
    "forge",
    "scopes",
    "repositories",
    "expires_at",
    "created_at",
    "secret_written_at",
    "last_used_by_us_at",
    "last_used_reported_at",
    "checked_at",
    "next_check_at",
    "used_by",
    "findings",
    "remedies",
)
ENVIRONMENT_COLUMNS: Final = (
    "namespace",
    "pipeline",
    "environment",
    "way",
    "who",
    "with_what",
    "until",
)
