"""The person with rights that the claims of an ID token describe. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from countersign.contracts.errors import Rejected
from countersign.contracts.messages import Person
from countersign.gateway.refusals import Refusal

NAME_CHARACTERS_MAX: Final = 256
# Entra ID leaves groups out above 200, Keycloak and Okta have no such limit.
GROUPS_MAX: Final = 1_000
# Names that only the API server itself gives.
RESERVED: Final = "system:"


@dataclass(frozen=True, kw_only=True)
class ClaimRules:
    """The claims that name a person, as RoleBindings do."""

    username_claim: str = "email"
    username_prefix: str = ""
    groups_claim: str = "groups"
    groups_prefix: str = ""
    required: Mapping[str, str] = field(default_factory=dict)


def person_of(claims: Mapping[str, Any], rules: ClaimRules) -> Person:
    """Return the person whom the claims name.

    Raises:
        Rejected: `bad_identity`; somebody without a name has no rights, and a name that is not
            quite theirs would have somebody else's.

    """
    for claim, value in rules.required.items():
        if claims.get(claim) != value:
            raise Rejected(Refusal.BAD_IDENTITY, f"the claim {claim!r} is not what is required")
    name = _name(claims.get(rules.username_claim), f"claim {rules.username_claim!r}")
    # As kube-apiserver: an address that the provider says it did not verify is anybody's.
    if rules.username_claim == "email" and claims.get("email_verified", True) is not True:
        raise Rejected(Refusal.BAD_IDENTITY, "the provider has not verified the email address")
    shown = claims.get("name")
    user = _unreserved(rules.username_prefix + name)
    readable = isinstance(shown, str) and shown.isprintable() and shown.strip()
    return Person(
        id=user,
        name=str(shown).strip()[:NAME_CHARACTERS_MAX] if readable else name,
        groups=_groups(claims, rules),
    )


def _groups(claims: Mapping[str, Any], rules: ClaimRules) -> tuple[str, ...]:
    claim = rules.groups_claim
    if not claim:
        return ()
    elsewhere = claims.get("_claim_names")
    if isinstance(elsewhere, Mapping) and claim in elsewhere:
        # https://learn.microsoft.com/entra/identity-platform/id-token-claims-reference#groups-overage-claim
        raise Rejected(
            Refusal.BAD_IDENTITY,
            "the provider leaves out the groups, because they are too many: let it send only those "
            "that are assigned to the application",
        )
    given = claims.get(claim, [])
    groups = [given] if isinstance(given, str) else given
    if not isinstance(groups, list) or len(groups) > GROUPS_MAX:
        raise Rejected(Refusal.BAD_IDENTITY, f"the claim {claim!r} is no list of groups")
    names = (_name(g, f"a group in claim {claim!r}") for g in groups)
    return tuple(dict.fromkeys(_unreserved(rules.groups_prefix + n) for n in names))


def _name(value: object, where: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise Rejected(Refusal.BAD_IDENTITY, f"{where} is missing, empty or no text")
    if value != value.strip() or not value.isprintable() or len(value) > NAME_CHARACTERS_MAX:
        raise Rejected(Refusal.BAD_IDENTITY, f"{where} is not a name: too long, or not plain text")
    return value


def _unreserved(name: str) -> str:
    if name.startswith(RESERVED):
        raise Rejected(
            Refusal.BAD_IDENTITY, f"names that begin with {RESERVED!r} are the cluster's own"
        )
    return name
