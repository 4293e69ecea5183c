"""The webhook event `pull_request`, which more than one kind of forge sends in this form."""

from typing import Final

from countersign.dialects.hooks.fates import (
    Fate,
    commit_at,
    id_at,
    maybe_id_at,
    number_at,
    user,
)
from countersign.dialects.shapes import Json, fields_at, integer_at, moment_at, text_at

EVENT: Final = "pull_request"


def fate_in(payload: Json) -> Fate | None:
    """Return the fate it tells, none where the pull request was not closed."""
    pull = fields_at(payload, "pull_request")
    repository_id, number = id_at(payload, "repository", "id"), number_at(pull, "number")
    if text_at(payload, "action") != "closed":
        return None
    merged = pull.get("merged") is True
    who = fields_at(pull, "merged_by") if merged else fields_at(payload, "sender")
    return Fate(
        repository_id=repository_id,
        number=number,
        head_repository_id=maybe_id_at(pull, "head", "repo", "id"),
        head_branch=text_at(pull, "head", "ref"),
        merged=merged,
        by=user(integer_at(who, "id"), login=text_at(who, "login")),
        merge_commit=commit_at(pull, "merge_commit_sha") if merged else "",
        at=moment_at(pull, "merged_at" if merged else "closed_at"),
    )
