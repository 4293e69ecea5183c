"""A dictionary with a bound: the oldest entries make room for new ones."""

from collections import OrderedDict
from collections.abc import Callable, Iterator, MutableMapping
from typing import Generic, TypeVar

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class BoundedDict(MutableMapping[_Key, _Value], Generic[_Key, _Value]):
    """Holds at most `entries_max` entries and iterates over them from the oldest.

    Setting an entry makes it the newest, also when it was there before; looking one up does not.
    """

    def __init__(
        self,
        entries_max: int,
        *,
        on_evicted: Callable[[_Key, _Value], None] | None = None,
    ) -> None:
        """Make an empty one.

        Args:
            entries_max: how many entries it holds; one more drops the oldest.
            on_evicted: called with each entry that is dropped to make room, after it is gone.

        """
        if entries_max < 1:
            raise ValueError(f"a bound of {entries_max} entries holds nothing")
        self.entries_max = entries_max
        self._entries: OrderedDict[_Key, _Value] = OrderedDict()
        self._on_evicted = on_evicted

    def __getitem__(self, key: _Key) -> _Value:
        return self._entries[key]

    def __setitem__(self, key: _Key, value: _Value) -> None:
        self._entries[key] = value
        self._entries.move_to_end(key)
        while len(self._entries) > self.entries_max:
            evicted = self._entries.popitem(last=False)
            if self._on_evicted is not None:
                self._on_evicted(*evicted)

    def __delitem__(self, key: _Key) -> None:
        del self._entries[key]

    def __iter__(self) -> Iterator[_Key]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        # Never the entries: they may be what nobody may print.
        return f"<BoundedDict of {len(self)} entries, {self.entries_max} at most>"

    def touch(self, key: _Key) -> None:
        """Make an entry the newest.

        Raises:
            KeyError: it is not there.

        """
        self._entries.move_to_end(key)

    def discard_while(self, is_over: Callable[[_Value], bool]) -> None:
        """Drop entries from the oldest on, up to the first whose value is not over."""
        while self._entries and is_over(next(iter(self._entries.values()))):
            self._entries.popitem(last=False)
