"""Title and body of a pull request. All that comes from elsewhere is shown as code or cut. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final

from countersign.contracts.messages import (
    Caution,
    ChangeKind,
    CredentialMode,
    ForgeUser,
    StatedChange,
)
from countersign.contracts.revision import short
from countersign.dialects.pages import comparison_page
from countersign.dialects.repositories.pulls import PullText
from countersign.pr_writer.executor.neutral import neutral
from countersign.pr_writer.jobs.model import Job, OpenJob

TITLE_CHARACTERS_MAX: Final = 200
BODY_CHARACTERS_MAX: Final = 4_000
VALUE_CHARACTERS_MAX: Final = 120
FILES_SHOWN_MAX: Final = 20
# An address in which nothing can end a link, begin another, or mention anybody.
_PAGE: Final = re.compile(
    r"https?://[a-z0-9.-]+(?::[0-9]{1,5})?(?:/[A-Za-z0-9_=.%-]+)*(?:\?[A-Za-z0-9_=.&%-]+)?"
)
_PAGE_CHARACTERS_MAX: Final = 500
# Written before it is asked, and true of either answer.
_MERGES_ITSELF: Final = (
    "The forge is asked to merge it by itself once its checks pass. Where it refuses, a person "
    "does."
)
CAUTIONS: Final[Mapping[Caution, str]] = {
    Caution.UNSPECIFIED: "Look at it closely.",
    Caution.DOWNGRADE: "This is a downgrade: a higher version runs there.",
    Caution.FOREIGN_CONTENT: "It replaces what no promotion brought there.",
    Caution.HINDERED: "It overtakes an upgrade that hangs there.",
}
CHANGE_WORDS: Final[Mapping[ChangeKind, str]] = {
    ChangeKind.UNSPECIFIED: "Also",
    ChangeKind.ADDED: "Added",
    ChangeKind.CHANGED: "Changed",
    ChangeKind.DEPRECATED: "Deprecated",
    ChangeKind.REMOVED: "Removed",
    ChangeKind.FIXED: "Fixed",
    ChangeKind.SECURITY: "Security",
}


@dataclass(frozen=True, kw_only=True)
class Particulars:
    """The particulars of one pull request.

    Args:
        files: what stood in each file that is changed, by path.
        skipped: files that may hold a marker and were not looked into, by path: why.
        replaces: how the forge refers to the pull requests that this one replaces.
        commits: first lines of the commits that are promoted, as far as they could be read.

    """

    files: Mapping[str, str]
    skipped: Mapping[str, str] = field(default_factory=dict)
    replaces: Sequence[str] = ()
    commits: Sequence[str] = ()


def describe(job: OpenJob, told: Particulars, *, author: ForgeUser | None) -> PullText:
    """Say what a reviewer needs, and at the end what a program needs."""
    request, marks = job.request, job.access.forge.pull_requests
    ref = request.promotion
    before = short(request.current) or "nothing"
    app = code(f"{ref.pipeline.namespace}/{ref.pipeline.name}")
    lines = [
        f"Promotes {app} from {code(request.from_environment)} to {code(ref.environment)}.",
        "",
        "| | revision |",
        "| --- | --- |",
        f"| before | {cell(request.current.recorded if request.current else before)} |",
        f"| after | {cell(job.revision)} |",
        "",
        *[f"**{CAUTIONS[caution]}**" for caution in request.cautions if caution in CAUTIONS],
        *_consent(job, author),
        *([_MERGES_ITSELF] if job.merges_itself else []),
        *[f"Replaces {reference}." for reference in told.replaces],
        *_link("Where it stands, and who approved", ref.url),
        *(
            [f"Source, as the artifact names it: {code(request.source_page)}."]
            if request.source_page
            else []
        ),
        *_link("What changes", comparison_page(job.access.forge, request)),
        "",
        f"Changes the marked values of {code(request.marker_key)} in:",
        *[_file(path, said) for path, said in list(told.files.items())[:FILES_SHOWN_MAX]],
        *(_more(len(told.files) - FILES_SHOWN_MAX)),
        *[
            f"- not looked into, {why}: {code(path)}"
            for path, why in list(told.skipped.items())[:3]
        ],
        *_listed("Commits, the newest first:", map(code, told.commits)),
        *_stated(request.stated_changes),
    ]
    footer = [
        "",
        "---",
        "```",
        f"Countersign-Promotion: {ref.promotion_id}",
        f"Countersign-Attempt: {job.attempt}",
        f"Countersign-Consent: {job.consent.digest}",
        "```",
    ]
    return PullText(
        title=headline(job),
        body="\n".join([*_fitting(lines, footer), *footer]),
        labels=marks.labels,
        draft=marks.draft,
    )


def _stated(changes: Sequence[StatedChange]) -> list[str]:
    """List what the artifact says of itself, as code like all that comes from elsewhere."""
    lines = (f"{CHANGE_WORDS[change.kind]}: {code(change.description)}" for change in changes)
    return _listed("What the artifact says of its changes:", lines)


def _listed(title: str, entries: Iterable[str]) -> list[str]:
    lines = [f"- {entry}" for entry in entries]
    return ["", title, *lines] if lines else []


def _more(count: int) -> list[str]:
    return [f"- and {count} more"] if count > 0 else []


def _file(path: str, said: str) -> str:
    return f"- {code(path)}, which said {code(said)}" if said else f"- {code(path)}"


def _fitting(lines: list[str], footer: list[str]) -> list[str]:
    """Keep as many whole lines as fit: in a code span that is cut, everything is live again."""
    left = BODY_CHARACTERS_MAX - sum(len(line) + 1 for line in footer)
    sums = accumulate(len(line) + 1 for line in lines)
    return [line for line, so_far in zip(lines, sums, strict=True) if so_far <= left]


def _consent(job: OpenJob, author: ForgeUser | None) -> list[str]:
    lines: list[str] = []
    if job.consent.approver is not None:
        lines.append(f"Approved by {code(job.consent.approver.name or job.consent.approver.id)}.")
    if job.access.mode is CredentialMode.DELEGATED and author is not None:
        lines.append(f"Opened as {code(author.login)}, with a token delegated for this alone.")
    elif job.access.mode is CredentialMode.STORED:
        lines.append(f"Opened with {_stored(job, author)}.")
    elif job.access.mode is CredentialMode.APP:
        lines.append("Opened by the forge's application.")
    return lines


def _stored(job: OpenJob, author: ForgeUser | None) -> str:
    secret = job.request.secret
    if secret is None:
        return "a stored token"
    owner = f" of {code(author.login)}" if author is not None else ""
    return f"the stored token {code(f'{secret.namespace}/{secret.name}')}{owner}"


def _link(text: str, page: str) -> list[str]:
    """Link to a page, where it is known and nothing but an address."""
    fits = len(page) <= _PAGE_CHARACTERS_MAX and _PAGE.fullmatch(page)
    return [f"[{text}]({page})."] if fits else []


def headline(job: Job) -> str:
    """Write the first line of the commit, and the pull request's title."""
    ref = job.request.promotion
    after = short(job.request.content.revision)
    caution = " (downgrade)" if Caution.DOWNGRADE in job.request.cautions else ""
    # Names are values here, never templates.
    title = job.access.forge.pull_requests.title.format(
        namespace=ref.pipeline.namespace,
        pipeline=ref.pipeline.name,
        environment=ref.environment,
        revision=after,
    )
    return plain(f"{title}{caution}")


def trailers(job: OpenJob) -> tuple[str, ...]:
    """Name the approver where the commit is in another's name, as a line that git knows."""
    approver = job.consent.approver
    if job.access.mode is CredentialMode.DELEGATED or approver is None:
        return ()
    return (f"Approved-by: {plain(approver.name or approver.id)}",)


def replaced_by(job: Job, reference: str) -> str:
    """Tell an older pull request that a newer one took its place."""
    return f"Superseded by {reference}, which promotes {code(job.revision)}."


def over(reason: str) -> str:
    """Tell a pull request that its promotion is over: replaced, or given up by a person."""
    return f"Closed by Countersign: {code(reason or 'it is not wanted any more')}."


def blocked(reason: str) -> str:
    """Tell a pull request that what it brings is not to be merged without another look."""
    return f"Look again before you merge this: {code(reason)}."


def code(text: str) -> str:
    """Return text as a code span, in which nothing is a mention, a keyword, a link or HTML.

    Nor is it one where the body becomes the message of a squashed commit.
    """
    shown = neutral(text).replace("`", "'")
    return f"`{shown[:VALUE_CHARACTERS_MAX] or ' '}`"


def cell(text: str) -> str:
    """Return the same inside a table, where a bar would end the cell."""
    return code(text.replace("|", "/"))


def plain(text: str) -> str:
    """Return text for a title, which forges link and some scan for keywords."""
    shown = neutral(text).replace("://", ":")
    return re.sub(r"[<>`]", "'", shown)[:TITLE_CHARACTERS_MAX]
