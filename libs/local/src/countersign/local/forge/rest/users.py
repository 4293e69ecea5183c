"""REST: people, limits, what the server is."""

from dataclasses import replace

from countersign.local.forge.answers import Answer, Call, Refused, page_of
from countersign.local.forge.state.model import Role
from countersign.local.forge.state.permissions import effective, role
from countersign.local.forge.wire import role_permissions


def user(call: Call) -> Answer:
    if call.caller.person is None:
        # An installation's token belongs to nobody.
        raise Refused(403, "Resource not accessible by integration")
    return Answer(body=call.service.wire.full_user(call.caller.person))


def user_by_login(call: Call) -> Answer:
    person = call.service.store.person(call.path["username"])
    if person is None:
        raise Refused(404, "Not Found")
    return Answer(body=call.service.wire.full_user(person))


def meta(_: Call) -> Answer:
    return Answer(body={"verifiable_password_authentication": False, "installed_version": "3.19.0"})


def root(call: Call) -> Answer:
    return Answer(body={"current_user_url": f"{call.service.wire.api}/user"})


def user_installations(call: Call) -> Answer:
    """Installations of the token's own application that its person can reach."""
    app, store = call.caller.app, call.service.store
    if app is None or call.caller.person is None:
        raise Refused(403, "You must authenticate with an access token authorized to a GitHub App")
    found = [
        call.service.wire.installation(one, app, call.service.account(one.account))
        for one in store.installations
        if one.app_id == app.id
    ]
    page, headers = page_of(call, found)
    return Answer(body={"total_count": len(found), "installations": list(page)}, headers=headers)


def user_installation_repositories(call: Call) -> Answer:
    """List what the token reaches through one installation, without others' public repositories."""
    app, person, store = call.caller.app, call.caller.person, call.service.store
    wanted = call.path["installation_id"]
    found = next((i for i in store.installations if str(i.id) == wanted), None)
    if app is None or person is None or found is None or found.app_id != app.id:
        raise Refused(404, "Not Found")
    chosen = call.caller.token.repositories if call.caller.token else None
    names = {n.lower() for n in found.repositories}
    if chosen is not None:
        names &= {n.lower() for n in chosen}
    listed = []
    for one in store.repositories:
        own = role(replace(one, private=True), person.login)
        if one.full_name.lower() in names and own is not Role.NONE:
            rights = role_permissions(effective(call.caller, one, "contents"))
            listed.append({**call.service.repository_json(one), "permissions": rights})
    page, headers = page_of(call, listed)
    body = {"total_count": len(listed), "repository_selection": "selected"}
    return Answer(body={**body, "repositories": list(page)}, headers=headers)
