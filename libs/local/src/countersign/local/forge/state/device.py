"""The device flow: codes that a person types, and what whoever asked for them is told meanwhile.

Source: https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps#device-flow
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final

from countersign.local.forge.state.model import App, DeviceAuthorization
from countersign.local.forge.state.store import Store, sha256

GRANT_TYPE: Final = "urn:ietf:params:oauth:grant-type:device_code"
PAGE: Final = "/login/device"
EXPIRES_S: Final = 900
INTERVAL_S: Final = 5
SLOWER_BY_S: Final = 5
# No vowels and nothing that looks like something else.
_ALPHABET: Final = "BCDFGHJKLMNPQRSTVWXZ"
_HALF_CHARACTERS: Final = 4


def begin(store: Store, form: Mapping[str, str], *, origin: str) -> dict[str, object] | str:
    """Return two new codes, or GitHub's word for why there are none."""
    app = store.apps.get(form.get("client_id", ""))
    if app is None:
        return "Not Found"
    if not app.device_flow:
        return "device_flow_disabled"
    for old in store.devices:
        if _is_over(store, old):
            store.devices.delete(old.sha256)
    secret = store.new_secret(40).lower()
    made = DeviceAuthorization(
        sha256=sha256(secret),
        user_code=_user_code(store),
        client_id=app.client_id,
        created_at=store.clock(),
        interval_s=INTERVAL_S,
    )
    store.devices.put(made.sha256, made)
    return {
        "device_code": secret,
        "user_code": made.user_code,
        "verification_uri": f"{origin}{PAGE}",
        "expires_in": EXPIRES_S,
        "interval": INTERVAL_S,
    }


def _user_code(store: Store) -> str:
    letters = [c for c in store.new_secret(400).upper() if c in _ALPHABET]
    halves = letters[:_HALF_CHARACTERS], letters[_HALF_CHARACTERS : 2 * _HALF_CHARACTERS]
    return "-".join("".join(half) for half in halves)


def typed(store: Store, user_code: str) -> DeviceAuthorization | None:
    """Return what waits for this code."""
    code = user_code.strip().upper()
    found = (d for d in store.devices if d.user_code == code and not d.login and not d.denied)
    return next((d for d in found if not _is_over(store, d)), None)


def decide(store: Store, found: DeviceAuthorization, login: str, *, allow: bool) -> None:
    decided = replace(found, login=login if allow else "", denied=not allow)
    store.devices.put(found.sha256, decided)


def poll(store: Store, app: App, secret: str) -> str | dict[str, object]:
    """Return the login that allowed it, which is told once; or what to answer meanwhile."""
    found = store.devices.get(sha256(secret))
    if found is None or found.client_id != app.client_id:
        return {"error": "incorrect_device_code"}
    if _is_over(store, found):
        return {"error": "expired_token"}
    if found.denied:
        return {"error": "access_denied"}
    at = store.clock()
    early = found.polled_at and found.polled_at + timedelta(seconds=found.interval_s) > at
    if early:
        slower = replace(found, interval_s=found.interval_s + SLOWER_BY_S, polled_at=at)
        store.devices.put(found.sha256, slower)
        return {"error": "slow_down", "interval": slower.interval_s}
    if not found.login:
        store.devices.put(found.sha256, replace(found, polled_at=at))
        return {"error": "authorization_pending"}
    store.devices.delete(found.sha256)
    return found.login


def _is_over(store: Store, found: DeviceAuthorization) -> bool:
    return found.created_at + timedelta(seconds=EXPIRES_S) <= store.clock()
