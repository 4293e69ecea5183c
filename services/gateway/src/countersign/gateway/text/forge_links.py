"""Links to pages at forges: only to those on the administrator's list."""

from countersign.contracts.errors import Rejected
from countersign.contracts.forge_list import Forge, ForgeList
from countersign.contracts.messages import Destination, PromotionRequested, PullRequestRef
from countersign.dialects import pages
from countersign.dialects.kinds import sign_in_origins, takes_codes
from countersign.gateway.refusals import Refusal


class ForgeLinks:
    """The forge list, as pages use it."""

    def __init__(self, forges: ForgeList) -> None:
        self.sign_in_origins = tuple(
            dict.fromkeys(origin for f in forges.forges for origin in sign_in_origins(f))
        )
        self.forges = forges.forges
        self._by_origin = {f.origin: f for f in forges.forges}

    def entry(self, origin: str) -> Forge | None:
        """The administrator's entry for an origin, if there is one."""
        return self._by_origin.get(origin)

    def leads_to_sign_in(self, url: str, origin: str) -> bool:
        """Tell whether an address is one at which people sign in for the forge of that origin."""
        forge = self.entry(origin)
        return forge is not None and any(url.startswith(f"{o}/") for o in sign_in_origins(forge))

    def takes_codes(self, url: str, origin: str) -> bool:
        """Tell whether an address is one at which a code of that origin's forge is typed."""
        forge = self.entry(origin)
        return forge is not None and takes_codes(forge, url)

    def sign_in(self, url: str, origin: str) -> str:
        """Return an address that leads to a sign-in for the forge of that origin.

        Raises:
            Rejected: `forge_not_listed`; it leads elsewhere.

        """
        if not self.leads_to_sign_in(url, origin):
            raise _elsewhere(origin)
        return url

    def code_page(self, url: str, origin: str) -> str:
        """Return an address at which a code of that origin's forge is typed.

        Raises:
            Rejected: `forge_not_listed`; it is another's.

        """
        if not self.takes_codes(url, origin):
            raise _elsewhere(origin)
        return url

    def tells_of_merges(self, origin: str) -> bool:
        """Tell whether the forge's webhooks reach us."""
        forge = self.entry(origin)
        return forge is not None and bool(forge.webhook_secret_file or forge.webhooks)

    def repository(self, destination: Destination) -> str:
        """The repository's page; empty where its forge is not listed."""
        listed = destination.origin in self._by_origin
        return pages.repository_page(destination) if listed else ""

    def comparison(self, request: PromotionRequested) -> str:
        """The page of what a promotion changes; empty where no listed forge has it."""
        made = (pages.comparison_page(forge, request) for forge in self._by_origin.values())
        return next((page for page in made if page), "")

    def leads_to_listed(self, page: str) -> bool:
        """Tell whether a page is at a forge that the administrator listed."""
        return any(page.startswith(f"{origin}/") for origin in self._by_origin)

    def pull_request(self, ref: PullRequestRef | None) -> str:
        """The pull request's page; empty where its forge is not listed."""
        if ref is None or ref.origin not in self._by_origin:
            return ""
        return pages.pull_request_page(ref)


def _elsewhere(origin: str) -> Rejected:
    return Rejected(Refusal.FORGE_NOT_LISTED, f"a sign-in elsewhere than {origin} is not followed")
