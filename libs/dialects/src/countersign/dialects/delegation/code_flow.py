"""The authorization-code flow with PKCE, as far as forges have it alike. Pure.

Source: https://www.rfc-editor.org/rfc/rfc6749#section-4.1 and https://www.rfc-editor.org/rfc/rfc7636
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from countersign.contracts.errors import Rejected
from countersign.contracts.forge_list import Forge
from countersign.contracts.messages import ForgeUser
from countersign.contracts.secret import Secret
from countersign.dialects.addresses import origin_of
from countersign.dialects.conversation import Conversation, ask
from countersign.dialects.delegation import token_answers
from countersign.dialects.delegation.oauth import Challenge, Delegated, Grant, Registration
from countersign.dialects.delegation.refusals import DelegationRefusal
from countersign.dialects.exchange import OK, Answer, Request
from countersign.dialects.shapes import Json

TIMEOUT_S: Final = 5.0
# What an endpoint of the application answers that is read here.
REFUSED: Final = frozenset({400, 401, 403})
OVER: Final = frozenset({"invalid_grant"})
OURS: Final = frozenset(
    {"invalid_client", "unauthorized_client", "invalid_request", "unsupported_grant_type"}
)


@dataclass(frozen=True, kw_only=True)
class CodeFlow:
    """One kind's flow.

    Args:
        authorize_path: below the base, where the browser goes.
        exchange_path: where the code is given for the token.
        scopes: that are asked for; none where the application has them by itself.
        labelling: asked for besides, where what is opened there is given labels.
        is_challenged: whether the forge knows PKCE.
        secret_in_form: our secret goes with the code, else as the password of a name.
        over: words for a code that is no longer good.
        doubt: what else the forge says with those words.
        base: of both addresses; the forge's origin where people do not sign in elsewhere.

    """

    authorize_path: str
    exchange_path: str
    scopes: frozenset[str] = frozenset()
    labelling: frozenset[str] = frozenset()
    is_challenged: bool = True
    secret_in_form: bool = True
    over: frozenset[str] = OVER
    doubt: str = ""
    base: Callable[[Registration], str] = lambda at: at.forge.origin

    def origin(self, at: Registration) -> str:
        """Return where people are when they sign in."""
        return origin_of(self.base(at))

    def scopes_at(self, forge: Forge) -> frozenset[str]:
        """Return what is asked for, by what the entry wants of pull requests there."""
        return self.scopes | (self.labelling if forge.pull_requests.labels else frozenset())

    def authorize_url(self, at: Registration, challenge: Challenge) -> str:
        query = {
            "client_id": at.client_id,
            "redirect_uri": at.redirect_uri,
            "response_type": "code",
            "state": challenge.state,
        }
        if scopes := self.scopes_at(at.forge):
            query["scope"] = " ".join(sorted(scopes))
        if self.is_challenged:
            query["code_challenge"] = challenge.code_challenge
            query["code_challenge_method"] = "S256"
        return f"{self.base(at)}{self.authorize_path}?{urlencode(query)}"

    def exchange(self, at: Registration, grant: Grant) -> Conversation[Delegated]:
        """Give the code for the token; its scopes are those that the answer tells."""
        form: dict[str, str | Secret] = {
            "grant_type": "authorization_code",
            "code": grant.code,
            "redirect_uri": at.redirect_uri,
        }
        if self.is_challenged:
            form["code_verifier"] = grant.verifier
        if self.secret_in_form:
            form |= {"client_id": at.client_id, "client_secret": at.secret()}
        request = Request(
            name="exchange the code",
            method="POST",
            url=f"{self.base(at)}{self.exchange_path}",
            form=form,
            basic=None if self.secret_in_form else at.credentials,
            passes=REFUSED,
            timeout_s=TIMEOUT_S,
        )
        return self.delegated(at, (yield from ask(request)))

    def delegated(self, at: Registration, answer: Answer) -> Delegated:
        """Read the token of an answer.

        Raises:
            Rejected: `expired`, `no_client`, `denied`, `forge_unavailable`.

        """
        body = token_answers.object_of(answer, where=at.where)
        if answer.status != OK:
            raise token_answers.exchange_refusal(
                token_answers.error_word(body),
                over=self.over,
                ours=OURS - self.over,
                where=at.where,
                doubt=self.doubt,
            )
        return Delegated(
            token=token_answers.token_in(body, where=at.where),
            expires_in_s=token_answers.lifetime_in(body),
            scopes=token_answers.scopes_in(body),
        )


def own_issuers(forge: Forge) -> frozenset[str]:
    """Return the names of a forge that calls itself by its origin."""
    return frozenset({forge.origin, f"{forge.origin}/"})


def whose(
    request: Request, read: Callable[[Json], ForgeUser | None], *, advice: str = ""
) -> Callable[[Registration, Secret, str], Conversation[ForgeUser]]:
    """Return the question whose token it is, where an account is the same everywhere.

    Args:
        request: answered with the account.
        read: a person of an account, none of what is no account.
        advice: what to do where none is named.

    """

    def ask_whose(at: Registration, token: Secret, _owner: str) -> Conversation[ForgeUser]:
        answer = yield from ask(request, token)
        found = read(answer.json()) if answer.status == OK else None
        if found is None:
            raise Rejected(
                DelegationRefusal.DENIED,
                f"{at.where}: the answer names no user" + (f"; {advice}" if advice else ""),
            )
        return found

    return ask_whose
