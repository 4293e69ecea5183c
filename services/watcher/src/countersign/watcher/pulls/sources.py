"""Senders of webhooks that proved themselves, and the repositories that each may tell of."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from countersign.contracts.errors import Rejected
from countersign.contracts.forge_list import Forge, RepositoryWebhook
from countersign.contracts.message import Message
from countersign.contracts.messages import ForgeKind, PullRequestRef
from countersign.contracts.secret import Secret
from countersign.dialects.kinds import KINDS
from countersign.process.secret_files import read_secret
from countersign.watcher.refusals import WatcherRefusal

# The forge's slug, and the webhook's name; empty for the forge's own.
Address = tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class Source:
    """A forge, or one webhook there, and what proves it."""

    forge: Forge
    secret: Secret
    webhook: RepositoryWebhook | None = None

    @property
    def address(self) -> Address:
        return self.forge.slug, self.webhook.name if self.webhook else ""

    def tells_of(self, ref: PullRequestRef) -> bool:
        """Say if it is believed of a pull request of ours.

        Who administers one repository knows the secret of its webhook, and no other.
        """
        name = f"{ref.owner}/{ref.repository}"
        if self.webhook is not None:
            return self.webhook.covers(name)
        return not any(webhook.covers(name) for webhook in self.forge.webhooks)


def without_foreign_page(event: Message, origins: frozenset[str] | None) -> Message:
    """Return an event whose pull request has a page only at a forge that is listed.

    Who can publish in the pr-writer's name must not lead people elsewhere by our status.

    Args:
        event: any.
        origins: of listed forges; none where there is no list.

    """
    ref: PullRequestRef | None = getattr(event, "pull_request", None)
    if origins is None or ref is None or ref.origin in origins:
        return event
    pageless = ref.model_copy(update={"kind": ForgeKind.UNSPECIFIED})
    return event.model_copy(update={"pull_request": pageless})


def read_sources(forges: Iterable[Forge]) -> Mapping[Address, Source]:
    """Read the secrets of all that may send webhooks.

    Raises:
        Rejected: `bad_secret`.

    """
    found = [
        Source(forge=forge, secret=_secret(forge, file), webhook=webhook)
        for forge in forges
        for file, webhook in (
            (forge.webhook_secret_file, None),
            *((webhook.secret_file, webhook) for webhook in forge.webhooks),
        )
        if file
    ]
    return {source.address: source for source in found}


def _secret(forge: Forge, file: str) -> Secret:
    secret = read_secret(Path(file))
    flaw = KINDS[forge.forge_kind].webhooks.flaw(secret)
    if flaw:
        raise Rejected(WatcherRefusal.BAD_SECRET, f"{file} {flaw}")
    return secret
