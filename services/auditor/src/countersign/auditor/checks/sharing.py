"""Finds Secrets that hold the same token, by marks that mean nothing outside of this process."""

from countersign.auditor.model import CredentialKey


class Sharing:
    """Remembers the mark of the token that each Secret holds, as long as it is named."""

    def __init__(self) -> None:
        self._marks: dict[CredentialKey, str] = {}

    def note(self, key: CredentialKey, mark: str) -> frozenset[CredentialKey]:
        """Note what a Secret holds, none where it is empty; returns others that this is news to."""
        before = self._marks.get(key, "")
        if mark == before:
            return frozenset()
        left = self._holders(before)
        if mark:
            self._marks[key] = mark
        else:
            self._marks.pop(key, None)
        return (left | self._holders(mark)) - {key}

    def is_replaced(self, key: CredentialKey, mark: str) -> bool:
        """Say if the Secret is known to have held another token than it does."""
        before = self._marks.get(key, "")
        return bool(before and mark) and before != mark

    def others(self, key: CredentialKey) -> tuple[CredentialKey, ...]:
        """Return the other Secrets that hold the same token."""
        return tuple(sorted(self._holders(self._marks.get(key, "")) - {key}))

    def _holders(self, mark: str) -> frozenset[CredentialKey]:
        if not mark:
            return frozenset()
        return frozenset(key for key, held in self._marks.items() if held == mark)
