"""One row of the table of kinds: what a kind of forge can do, and the parts of its dialect."""

from collections.abc import Callable
from dataclasses import dataclass

from countersign.contracts.messages import ForgeKind
from countersign.dialects.addresses import Addresses
from countersign.dialects.capabilities import Capabilities
from countersign.dialects.delegation.oauth import OAuthDialect
from countersign.dialects.exchange import Token
from countersign.dialects.hooks.schemes import Scheme
from countersign.dialects.inspection import InspectionDialect
from countersign.dialects.limits import STANDARD, Limits
from countersign.dialects.repositories.dialect import RepositoryDialect
from countersign.dialects.statuses import STANDARD_WORDS, ErrorWords


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One row.

    Args:
        title: what people call it.
        errors: the way it words its refusals.
        oauth: how people delegate there.
        inspection: what stored tokens are asked.
        repository: conversations with a repository; none for a kind that has a client of its own.

    """

    kind: ForgeKind
    title: str
    capabilities: Capabilities
    addresses: Addresses
    webhooks: Scheme
    oauth: OAuthDialect
    inspection: InspectionDialect
    limits: Limits = STANDARD
    errors: ErrorWords = STANDARD_WORDS
    repository: Callable[[Token], RepositoryDialect] | None = None
