"""Accounts at Bitbucket Data Center, and what they may do. As conversations without I/O."""

from collections.abc import Sequence
from dataclasses import dataclass

from countersign.contracts.messages import ForgeUser
from countersign.dialects import shapes
from countersign.dialects.bitbucket_server import answers, requests
from countersign.dialects.conversation import Conversation
from countersign.dialects.exchange import Answer, Request
from countersign.dialects.repositories.contents import Place
from countersign.dialects.repositories.questions import Ask
from countersign.dialects.shapes import Json


@dataclass(frozen=True, kw_only=True)
class Account:
    """The owner of a token; `node` is null for a token that is no account's."""

    node: Json = None
    may_write: bool | None = None

    @property
    def user(self) -> ForgeUser | None:
        return answers.user_of(self.node)


def questions(name: str, *, writing_to: Place | None = None) -> list[Request]:
    """Ask for the account of that name, and whether it may write there; nothing for no name."""
    places = [None, writing_to] if writing_to else [None]
    return [requests.users(name, writing_to=place) for place in places] if name else []


def account_in(told: Sequence[Answer], *, name: str) -> Account:
    """Read what was answered to the questions."""
    if not told:
        return Account()
    node = answers.named(told[0], name)
    if node is None or len(told) == 1:
        return Account(node=node)
    return Account(node=node, may_write=answers.named(told[1], name) is not None)


def account(ask: Ask, told: Answer) -> Conversation[Account]:
    """Find the account that an answer's header names."""
    name = answers.name_in(told)
    found = yield from ask(*questions(name))
    with shapes.reading("ask for the account"):
        return account_in(found, name=name)
