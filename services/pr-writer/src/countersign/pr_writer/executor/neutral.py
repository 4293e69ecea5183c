"""Text from elsewhere, made such that no forge, CI or terminal takes an order from it. Pure.

A title is also the first line of a squashed commit, and a body its rest, where no Markdown is.
"""

import re
from typing import Final

# Printable to Unicode, and nothing to see: fillers, joiners, selectors of a variation.
_UNSEEN: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0100-\U000e01ef]"
)
# `[skip ci]` and its like, whatever stands in the brackets beside; Azure's `***NO_CI***`.
# Source: https://docs.github.com/en/actions/how-tos/manage-workflow-runs/skip-workflow-runs,
# https://docs.gitlab.com/ci/pipelines/#skip-a-pipeline, https://docs.drone.io/pipeline/skipping and
# https://learn.microsoft.com/en-us/azure/devops/pipelines/repos/azure-repos-git#skipping-ci-for-individual-pushes
_BRACKETS: Final = str.maketrans("[]", "()")
_STARS: Final = re.compile(r"\*{2,}")
_SKIP_CHECKS: Final = re.compile(r"(?i)\b(skip-checks|request-checks|skip-ci)\s*:")
# `#12`, `AB#12`, `owner/repository#12`, `!12`, and the commands of Jira: `PROJ-1 #close`.
# Source: https://support.atlassian.com/jira-software-cloud/docs/process-issues-with-smart-commits
_NUMBER: Final = re.compile(r"[#!](?=\d)")
_COMMAND: Final = re.compile(r"#+(?=[A-Za-z])")
_OLD_NUMBER: Final = re.compile(r"(?i)\bgh-(?=\d)")
# A keyword before the key of an issue elsewhere ends it, too.
# Source: https://docs.gitlab.com/integration/jira/issues/#close-jira-issues-in-gitlab
_ENDS_ISSUE: Final = re.compile(
    r"(?i)\b((?:clos|fix|resolv|implement|complet)[a-z]*\b:?\s+[A-Z][A-Z0-9_]*)-(?=\d)"
)
# The address of an issue after a keyword ends it as well, in the message of a squashed commit too.
# Source: https://docs.gitlab.com/user/project/issues/managing_issues/#default-closing-pattern
_ENDS_LINKED: Final = re.compile(
    r"(?i)\b((?:clos|fix|resolv|implement|complet)[a-z]*\b:?\s+(?:issues?\s+)?https?):(?=//)"
)
# Not one of a word: `ada@example.com` mentions nobody. There are names that begin with `_` or `.`,
# and forges where they stand in braces, quotes or angle brackets.
# Source: https://docs.gitlab.com/user/reserved_names/#limitations-on-usernames-project-and-group-names-and-slugs
_MENTION: Final = re.compile(r"""(?<![A-Za-z0-9])@+(?=[A-Za-z0-9_.{<"#!])""")


def visible(text: str) -> str:
    """Return text in which every character is to be seen: what is not is written as its number."""
    return "".join(
        c if c.isprintable() and not _UNSEEN.match(c) else f"\\u{{{ord(c):x}}}" for c in text
    )


def neutral(text: str) -> str:
    """Return visible text that ends no issue, mentions nobody and skips no check.

    What takes a sign away stands before what looks at the signs that are side by side then.
    """
    shown = _MENTION.sub("", visible(text).translate(_BRACKETS))
    shown = _NUMBER.sub("no. ", shown)
    shown = _STARS.sub("*", _COMMAND.sub("", shown))
    shown = _SKIP_CHECKS.sub(r"\1", _OLD_NUMBER.sub("gh ", shown))
    shown = _ENDS_ISSUE.sub("\\1\u2011", shown)
    return _ENDS_LINKED.sub(r"\1 :", shown)
