"""The type of everything that must not be seen."""

from typing import NoReturn


class Secret:
    """Text that can only be had by asking for it.

    It has no `str`, no format, no JSON and no pickle: whatever tries to show it fails loudly or
    shows a placeholder.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself. Every call is a place that a reviewer looks at."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"

    def __str__(self) -> NoReturn:
        raise TypeError("a secret has no text; use reveal() where it leaves the process")

    def __format__(self, spec: str) -> NoReturn:
        raise TypeError("a secret cannot be formatted")

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret cannot be pickled")

    def __getstate__(self) -> NoReturn:
        raise TypeError("a secret cannot be copied or pickled")

    def __eq__(self, other: object) -> NoReturn:
        raise TypeError("compare secrets with hmac.compare_digest")

    def __hash__(self) -> int:
        return id(self)

    def __bool__(self) -> bool:
        return bool(self._text)
