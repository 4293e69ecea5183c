"""Messages for a chat: what an incoming webhook of Slack takes, and Mattermost, Rocket.Chat and
Teams' connectors for it too.

Only what a person acts on or waits for; everything else is nothing to say.
Source: https://docs.slack.dev/messaging/formatting-message-text
"""

import json
from collections.abc import Callable
from typing import Any, Final

from countersign.bridge.model import Event, Parcel
from countersign.contracts.message import Message
from countersign.contracts.messages import (
    PromotionCompleted,
    PromotionRef,
    PromotionRequested,
    PromotionUndone,
    PullRequestFailed,
    PullRequestMerged,
    PullRequestOpened,
)

_TEXT_CHARACTERS_MAX: Final = 3000


def slack(event: Event) -> Parcel | None:
    """The event as a line of text, or nothing where no person waits for it."""
    say = _LINES.get(type(event.message))
    if say is None:
        return None
    text = say(event.message)[:_TEXT_CHARACTERS_MAX]
    body = json.dumps({"text": text}).encode()
    return Parcel(body=body, headers={"content-type": "application/json"})


def _waits(event: PromotionRequested) -> str:
    return f"{_what(event.promotion)} waits for {_where(event.promotion)}{_link(event)}"


def _opened(event: PullRequestOpened) -> str:
    by = f" by {_plain(event.author.login)}" if event.author else ""
    pull = event.pull_request
    return (
        f"{_what(event.promotion)} for {_where(event.promotion)}: "
        f"{_to(pull.url, f'pull request {pull.number}')}{by}"
    )


def _merged(event: PullRequestMerged) -> str:
    return (
        f"{_what(event.promotion)} for {_where(event.promotion)}: "
        f"{_to(event.pull_request.url, 'merged')}"
    )


def _failed(event: PullRequestFailed) -> str:
    return (
        f"{_what(event.promotion)} for {_where(event.promotion)}: no pull request: "
        f"{_plain(event.message)}"
    )


def _completed(event: PromotionCompleted) -> str:
    return f"{_where(event.promotion)} runs {_what(event.promotion)}"


def _undone(event: PromotionUndone) -> str:
    running = _plain(event.running.recorded) if event.running else "something else"
    return f"{_where(event.promotion)} came back to {running} from {_what(event.promotion)}"


def _link(event: PromotionRequested) -> str:
    return f": {_to(event.promotion.url, 'Promote')}" if event.promotion.url else ""


def _to(url: str, text: str) -> str:
    return f"<{_plain(url).replace('|', '%7C')}|{text}>" if url else text


def _what(ref: PromotionRef) -> str:
    name = f"{ref.pipeline.namespace}/{ref.pipeline.name}"
    return _plain(f"{name} {ref.revision.recorded}" if ref.revision else name)


def _where(ref: PromotionRef) -> str:
    return _plain(ref.environment)


def _plain(text: str) -> str:
    """Strip what has a meaning to Slack: links, mentions, line ends."""
    flat = " ".join(text.split())
    return flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


_LINES: Final[dict[type[Message], Callable[[Any], str]]] = {
    PromotionRequested: _waits,
    PullRequestOpened: _opened,
    PullRequestMerged: _merged,
    PullRequestFailed: _failed,
    PromotionCompleted: _completed,
    PromotionUndone: _undone,
}
