"""The capabilities of a kind of forge, as far as a promotion or a page depends on them."""

from dataclasses import dataclass
from enum import StrEnum


class Reach(StrEnum):
    """The reach of a token that a person delegates."""

    ONE_REPOSITORY = "one_repository"
    REPOSITORIES = "repositories"
    """Code and pull requests of all repositories that the person may write to."""
    EVERYTHING = "everything"
    """All that the person may do."""


class Revoker(StrEnum):
    """The one who can end a delegated token before its time."""

    NOBODY = "nobody"
    APPLICATION = "application"
    BEARER = "bearer"
    """Whoever holds it."""


class Presentation(StrEnum):
    """The form in which a stored token is presented."""

    BEARER = "bearer"
    BASIC = "basic"
    """As the password of the Secret's user name, or of an empty one."""
    BASIC_IF_NAMED = "basic_if_named"
    """As the password of the Secret's user name; as a bearer token where it has none."""
    BASIC_UNLESS_SIGNED = "basic_unless_signed"
    """As a bearer token where it is a JSON Web Token; else as a password."""


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """The differences between kinds of forges.

    Args:
        reach: of a delegated token, once it is as narrow as the forge makes it.
        wants_acceptance: whether the administrator has to accept that reach (`broadTokens`).
        revoked_by: who ends a delegated token.
        stored_as: how a stored token is presented.
        narrows: a person's token can be cut down to one repository.
        tells_expiry: a stored token can be asked when it ends.
        tells_last_use: a stored token can be asked when anybody last used it.
        app_tokens: an application can mint a token for one repository, in no person's name.
        one_commit_many_files: a commit can change many files at once.
        reads_by_id: files and folders have ids by which they can be read and remembered.
        signs_api_commits: commits made by the API are signed by the forge, at some only where its
            administrator set that up.
        device_flow: a person can sign in on another device.
        labels: a pull request can be given labels; where that takes more than any promotion does,
            a token is asked for that only if labels are wanted.
        labels_take_issues: that is to read issues.
        drafts: a pull request can be opened as a draft.
        auto_merges: the forge merges a pull request by itself once required checks pass, and
            never one that waits for nothing.

    """

    reach: Reach
    wants_acceptance: bool
    revoked_by: Revoker
    stored_as: Presentation = Presentation.BEARER
    narrows: bool = False
    tells_expiry: bool = False
    tells_last_use: bool = False
    app_tokens: bool = False
    one_commit_many_files: bool = True
    reads_by_id: bool = False
    signs_api_commits: bool = False
    device_flow: bool = False
    labels: bool = False
    labels_take_issues: bool = False
    drafts: bool = False
    auto_merges: bool = False

    @property
    def revocable(self) -> bool:
        """Tell whether a delegated token can be ended before its time."""
        return self.revoked_by is not Revoker.NOBODY
