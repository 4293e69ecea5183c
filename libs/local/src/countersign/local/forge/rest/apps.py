"""REST: an application's tokens, installations, revocation.

Sources:
    https://docs.github.com/en/rest/apps/oauth-applications
    https://docs.github.com/en/rest/apps/apps
    https://docs.github.com/en/rest/credentials/revoke
"""

from countersign.contracts.secret import Secret
from countersign.local.forge.answers import Answer, Call, Refused, invalid
from countersign.local.forge.state import tokens
from countersign.local.forge.state.model import App, Repository, Token, TokenKind
from countersign.local.forge.state.permissions import Level, level, role
from countersign.local.forge.state.tokens import Terms
from countersign.local.forge.wire import Json, maybe_stamp, stamp

REVOKED_AT_ONCE_MAX = 1_000


def asking_app(call: Call) -> App:
    if call.caller.app is None:
        raise Refused(404, "Not Found")
    return call.caller.app


def _token(call: Call) -> tuple[Secret, Token]:
    """The token in the body, if it lives and is this application's."""
    text = Secret(call.text("access_token"))
    token = tokens.find(call.service.store, text)
    if token is None or token.app_id != asking_app(call).id or token.kind is TokenKind.REFRESH:
        raise Refused(404, "Not Found")
    return text, token


def _authorization(call: Call, text: Secret, token: Token) -> Json:
    app, wire = asking_app(call), call.service.wire
    body = {
        "id": token.id,
        "url": f"{wire.api}/authorizations/{token.id}",
        "scopes": list(token.scopes),
        "token": text.reveal(),
        "token_last_eight": text.reveal()[-8:],
        "hashed_token": token.sha256,
        "app": {"client_id": app.client_id, "name": app.name, "url": wire.origin},
        "note": None,
        "note_url": None,
        "fingerprint": None,
        "created_at": stamp(token.created_at),
        "updated_at": stamp(token.created_at),
        "expires_at": maybe_stamp(token.expires_at),
        "user": wire.user(call.service.account(token.owner)),
    }
    if token.kind is TokenKind.APP_USER and token.repositories is not None:
        body["installation"] = _scoped_installation(call, token)
    return body


def _scoped_installation(call: Call, token: Token) -> Json:
    owner = (token.repositories or ("",))[0].partition("/")[0]
    return {
        "permissions": {"metadata": "read", **(token.permissions or {})},
        "repository_selection": "selected",
        "single_file_name": None,
        "has_multiple_single_files": False,
        "single_file_paths": [],
        "repositories_url": f"{call.service.wire.api}/user/repos",
        "account": call.service.wire.user(call.service.account(owner)),
    }


def check_token(call: Call) -> Answer:
    text, token = _token(call)
    return Answer(body=_authorization(call, text, token))


def delete_token(call: Call) -> Answer:
    """Ends one token. Of a token that is not this application's GitHub says 422."""
    try:
        _, token = _token(call)
    except Refused:
        invalid("Validation Failed")
    tokens.revoke(call.service.store, token)
    return Answer(status=204)


def reset_token(call: Call) -> Answer:
    try:
        _, old = _token(call)
    except Refused:
        invalid("Validation Failed")
    tokens.revoke(call.service.store, old)
    issued = tokens.issue(call.service.store, _terms(old))
    return Answer(body=_authorization(call, issued.text, issued.token))


def _terms(token: Token) -> Terms:
    return Terms(
        kind=token.kind,
        owner=token.owner,
        app_id=token.app_id,
        scopes=token.scopes,
        permissions=token.permissions,
        repositories=token.repositories,
        expires_at=token.expires_at,
    )


def delete_grant(call: Call) -> Answer:
    """Ends all tokens of this application and the token's person, and their consent."""
    try:
        _, token = _token(call)
    except Refused:
        invalid("Validation Failed")
    store = call.service.store
    for other in store.tokens:
        if other.app_id == token.app_id and other.owner == token.owner:
            tokens.revoke(store, other)
    store.consents.delete(f"{asking_app(call).client_id} {token.owner}")
    return Answer(status=204)


def scope_token(call: Call) -> Answer:
    """A narrower child of a person's token: fewer repositories, fewer permissions, same end."""
    _, parent = _token(call)
    app = asking_app(call)
    if parent.kind is not TokenKind.APP_USER:
        raise Refused(404, "Not Found")
    target = call.optional_text("target") or _login_of(call, call.body.get("target_id"))
    if not target:
        invalid("Invalid request.\n\nOne of target or target_id must be supplied.")
    repositories = chosen_repositories(call, target) or _reachable(call, app, target)
    permissions = narrowed(call, parent.permissions or app.permissions)
    for repository in repositories:
        _refuse_unreachable(call, app, parent, repository)
    terms = Terms(
        kind=TokenKind.APP_USER,
        owner=parent.owner,
        app_id=app.id,
        permissions=permissions,
        repositories=tuple(one.full_name for one in repositories),
        expires_at=parent.expires_at,
    )
    issued = tokens.issue(call.service.store, terms)
    return Answer(body=_authorization(call, issued.text, issued.token))


def _login_of(call: Call, target_id: object) -> str:
    owners = {repository.owner for repository in call.service.store.repositories}
    return next((o for o in owners if call.service.account(o).id == target_id), "")


def _reachable(call: Call, app: App, target: str) -> list[Repository]:
    installed = call.service.store.installed(app)
    return [
        repository
        for repository in call.service.store.repositories
        if repository.full_name.lower() in installed and repository.owner.lower() == target.lower()
    ]


def chosen_repositories(call: Call, owner: str) -> list[Repository]:
    """Repositories that the body asks for, by name or by id."""
    names, ids = call.body.get("repositories", []), call.body.get("repository_ids", [])
    if not isinstance(names, list) or not isinstance(ids, list):
        invalid("Validation Failed")
    store = call.service.store
    found = [store.repository(owner, str(name)) for name in names]
    found += [store.repository_by_id(one) for one in ids]
    chosen = [one for one in found if one is not None]
    if len(chosen) != len(found):
        invalid("There is at least one repository that does not exist or is not accessible.")
    return chosen


def narrowed(call: Call, most: dict[str, str]) -> dict[str, str]:
    wanted = call.body.get("permissions")
    if wanted is None:
        return dict(most)
    if not isinstance(wanted, dict) or not all(
        str(word) in {"read", "write", "admin"} for word in wanted.values()
    ):
        invalid("Validation Failed")
    for name, word in wanted.items():
        least = "read" if name == "metadata" else "none"
        if level(word) > level(most.get(name, least)):
            invalid("The permissions requested are not granted to this installation.")
    return dict(wanted)


def _refuse_unreachable(call: Call, app: App, parent: Token, repository: Repository) -> None:
    store, name = call.service.store, repository.full_name.lower()
    outside = parent.repositories is not None and name not in {
        one.lower() for one in parent.repositories
    }
    seen = level(role(repository, parent.owner).value) >= Level.READ
    if outside or not seen or name not in store.installed(app):
        invalid("There is at least one repository that does not exist or is not accessible.")


def revoke_credentials(call: Call) -> Answer:
    """Anybody who found tokens may end them; nobody signed in may call this."""
    if call.caller.token is not None:
        raise Refused(403, "This endpoint does not accept authentication")
    found = call.body.get("credentials")
    if not isinstance(found, list) or not 0 < len(found) <= REVOKED_AT_ONCE_MAX:
        invalid("Validation Failed")
    for text in found:
        token = tokens.find(call.service.store, Secret(str(text)))
        if token is not None and token.kind is not TokenKind.INSTALLATION:
            tokens.revoke(call.service.store, token)
    return Answer(status=202, body={})
