"""REST: an application itself, where it is installed, and its installations' tokens.

Source: https://docs.github.com/en/rest/apps/apps
"""

from collections.abc import Iterable
from datetime import timedelta

from countersign.local.forge.answers import Answer, Call, Refused, invalid, page_of
from countersign.local.forge.rest.apps import asking_app, chosen_repositories, narrowed
from countersign.local.forge.state import tokens
from countersign.local.forge.state.model import Installation, Token, TokenKind
from countersign.local.forge.state.tokens import INSTALLATION_TOKEN_S, Terms
from countersign.local.forge.wire import Json, maybe_stamp


def app(call: Call) -> Answer:
    owner = call.service.account(asking_app(call).bot_login)
    return Answer(body=call.service.wire.app(asking_app(call), owner))


def installations(call: Call) -> Answer:
    page, headers = page_of(call, list(_installations(call)))
    return Answer(body=[_installation_json(call, one) for one in page], headers=headers)


def _installations(call: Call) -> Iterable[Installation]:
    return (one for one in call.service.store.installations if one.app_id == asking_app(call).id)


def _installation_json(call: Call, found: Installation) -> Json:
    account = call.service.account(found.account)
    return call.service.wire.installation(found, asking_app(call), account)


def _installation(call: Call) -> Installation:
    wanted = call.path["installation_id"]
    for found in _installations(call):
        if str(found.id) == wanted:
            return found
    raise Refused(404, "Not Found")


def installation(call: Call) -> Answer:
    return Answer(body=_installation_json(call, _installation(call)))


def repository_installation(call: Call) -> Answer:
    name = f"{call.path['owner']}/{call.path['repo']}".lower()
    for found in _installations(call):
        if name in {one.lower() for one in found.repositories}:
            return Answer(body=_installation_json(call, found))
    raise Refused(404, "Not Found")


def create_installation_token(call: Call) -> Answer:
    found, app_, service = _installation(call), asking_app(call), call.service
    installed = {one.lower() for one in found.repositories}
    chosen = chosen_repositories(call, found.account)
    if any(one.full_name.lower() not in installed for one in chosen):
        invalid("There is at least one repository that does not exist or is not accessible.")
    terms = Terms(
        kind=TokenKind.INSTALLATION,
        owner=app_.bot_login,
        app_id=app_.id,
        permissions=narrowed(call, app_.permissions),
        repositories=tuple(one.full_name for one in chosen) or found.repositories,
        expires_at=service.store.clock() + timedelta(seconds=INSTALLATION_TOKEN_S),
    )
    issued = tokens.issue(service.store, terms)
    body: Json = {
        "token": issued.text.reveal(),
        "expires_at": maybe_stamp(issued.token.expires_at),
        "permissions": {"metadata": "read", **(terms.permissions or {})},
        "repository_selection": "selected",
    }
    if chosen:
        body["repositories"] = [service.repository_json(one) for one in chosen]
    return Answer(status=201, body=body)


def _of_installation(call: Call) -> Token:
    token = call.caller.token
    if token is None or token.kind is not TokenKind.INSTALLATION:
        raise Refused(403, "Resource not accessible by this token")
    return token


def installation_repositories(call: Call) -> Answer:
    names = {one.lower() for one in _of_installation(call).repositories or ()}
    store = call.service.store
    found = [r for r in store.repositories if r.full_name.lower() in names]
    page, headers = page_of(call, found)
    listed = [call.service.repository_json(one) for one in page]
    body = {"total_count": len(found), "repositories": listed}
    return Answer(body=body | {"repository_selection": "selected"}, headers=headers)


def delete_installation_token(call: Call) -> Answer:
    tokens.revoke(call.service.store, _of_installation(call))
    return Answer(status=204)
