"""Meanings of the words with which Gitea and Forgejo refuse a commit."""

from typing import Final

from countersign.dialects.gitea import requests
from countersign.dialects.refusals import ForgeRefusal
from countersign.dialects.repositories.commit_refusals import CommitRefusals, Word

# Source: modules/git/error.go, services/repository/files in both vendors' repositories.
_WORDS: Final = (
    Word(
        part="sha does not match",
        reason=ForgeRefusal.CONFLICT,
        advice="a file was changed meanwhile",
    ),
    Word(
        part="object does not exist",
        reason=ForgeRefusal.CONFLICT,
        advice="a file was removed meanwhile",
    ),
    Word(
        part="protected branch",
        reason=ForgeRefusal.REFUSED,
        advice="a rule protects new branches; let the user push to those of that folder",
    ),
    Word(
        part="is not allowed to edit",
        reason=ForgeRefusal.FORBIDDEN,
        advice="the repository is archived",
    ),
    Word(
        part="required scope",
        reason=ForgeRefusal.FORBIDDEN,
        advice="the token needs the scope write:repository",
    ),
)
COMMIT_REFUSALS: Final = CommitRefusals(
    branch=requests.branch,
    words=_WORDS,
    by_status={
        403: ForgeRefusal.FORBIDDEN,
        404: ForgeRefusal.NOT_FOUND,
        # The repository is archived, as the vendor's description says.
        423: ForgeRefusal.FORBIDDEN,
        409: ForgeRefusal.CONFLICT,
    },
)
