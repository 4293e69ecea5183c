"""Liveness and readiness of a service, with the reasons against them."""

from collections.abc import Callable

Check = Callable[[], str | None]
"""Returns why not, or None where all is well. Called often: it must not wait for anything."""


class Health:
    def __init__(self) -> None:
        self._ready: dict[str, Check] = {}
        self._live: dict[str, Check] = {}

    def add(self, name: str, check: Check) -> None:
        """Not ready while `check` gives a reason: no traffic, but no restart either."""
        self._ready[name] = check

    def live(self, name: str, check: Check) -> None:
        """Not alive while `check` gives a reason: only a restart can help."""
        self._live[name] = check

    def remove(self, name: str) -> None:
        self._ready.pop(name, None)
        self._live.pop(name, None)

    def not_ready(self) -> dict[str, str]:
        """Reasons by name; empty when ready."""
        return _reasons(self._ready) | _reasons(self._live)

    def not_live(self) -> dict[str, str]:
        return _reasons(self._live)


def _reasons(checks: dict[str, Check]) -> dict[str, str]:
    found = ((name, check()) for name, check in sorted(checks.items()))
    return {name: reason for name, reason in found if reason is not None}
