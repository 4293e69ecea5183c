"""The one table of forge kinds: each folder's own row.

Whoever needs to know something of a forge asks its row; nobody else names a kind.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from countersign.contracts.errors import Rejected
from countersign.contracts.forge_list import Forge
from countersign.contracts.messages import ForgeKind
from countersign.contracts.secret import Secret
from countersign.dialects.addresses import origin_of
from countersign.dialects.azure_devops.kind import AZURE_DEVOPS
from countersign.dialects.bitbucket_cloud.kind import BITBUCKET_CLOUD
from countersign.dialects.bitbucket_server.kind import BITBUCKET_SERVER
from countersign.dialects.capabilities import Presentation
from countersign.dialects.delegation.web_tokens import is_web_token
from countersign.dialects.exchange import Basic, Token
from countersign.dialects.gitea.kind import FORGEJO, GITEA
from countersign.dialects.github.kind import GITHUB
from countersign.dialects.gitlab.kind import GITLAB
from countersign.dialects.kind import Kind
from countersign.dialects.refusals import ForgeRefusal


def _table(rows: Iterable[Kind]) -> dict[ForgeKind, Kind]:
    return {row.kind: row for row in rows}


KINDS: Final[Mapping[ForgeKind, Kind]] = _table(
    (GITHUB, GITLAB, BITBUCKET_CLOUD, BITBUCKET_SERVER, AZURE_DEVOPS, GITEA, FORGEJO)
)


def kind_of(forge: Forge) -> Kind:
    """Return the row of an administrator's entry."""
    return KINDS[forge.forge_kind]


def has_device_flow(forge: Forge) -> bool:
    """Tell whether people may sign in by a code: the kind has it and the entry turns it on."""
    return forge.device_flow and kind_of(forge).oauth.by_code is not None


def refuse_unknown_options(forge: Forge) -> None:
    """Refuse an entry that asks for what its kind cannot do.

    Raises:
        Rejected: `not_supported`.

    """
    unknown = unknown_options(forge)
    if unknown:
        raise Rejected(
            ForgeRefusal.NOT_SUPPORTED,
            f"forge {forge.name!r}: {kind_of(forge).title} has no {', '.join(unknown)}; take that "
            "out of its entry",
        )


def unknown_options(forge: Forge) -> tuple[str, ...]:
    """Return the names of what an entry asks for and its kind cannot do."""
    can, asked = kind_of(forge).capabilities, forge.pull_requests
    cannot = {
        "deviceFlow": forge.device_flow and not can.device_flow,
        "pullRequests.labels": bool(asked.labels) and not can.labels,
        "pullRequests.draft": asked.draft and not can.drafts,
        "pullRequests.autoMerge": asked.auto_merge != "never" and not can.auto_merges,
    }
    return tuple(name for name, wrong in cannot.items() if wrong)


def presented(forge: Forge, token: Secret, *, username: str = "") -> Token:
    """Return a stored token as its forge wants to see it.

    The name is what its Secret says, and empty where it says none.
    """
    form = kind_of(forge).capabilities.stored_as
    as_basic = {
        Presentation.BEARER: False,
        Presentation.BASIC: True,
        Presentation.BASIC_IF_NAMED: username != "",
        Presentation.BASIC_UNLESS_SIGNED: not is_web_token(token),
    }[form]
    return Basic(user=username, password=token) if as_basic else token


def sign_in_origins(forge: Forge) -> tuple[str, ...]:
    """Return all origins that a sign-in at this forge may lead a browser to, its own first.

    The transport, the pages' policy and the check of where a person is sent all ask here.
    """
    kinds_own = kind_of(forge).addresses.sign_in_origins
    elsewhere = (origin_of(forge.sign_in),) if forge.sign_in else ()
    found = (forge.origin, *kinds_own, *elsewhere, *forge.sign_in_origins)
    return tuple(dict.fromkeys(found))


def takes_codes(forge: Forge, url: str) -> bool:
    """Tell whether an address is a page where a person may type a code of this forge."""
    by_code = kind_of(forge).oauth.by_code
    at_sign_in = any(url.startswith(f"{origin}/") for origin in sign_in_origins(forge))
    return by_code is not None and (at_sign_in or url in by_code.pages)
