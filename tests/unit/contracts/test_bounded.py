"""A dictionary that forgets its oldest entries instead of growing without end."""

import pytest

from countersign.contracts.bounds.dictionaries import BoundedDict


def test_bounded_dictionary_drops_its_oldest_entry_when_it_is_full() -> None:
    kept: BoundedDict[str, int] = BoundedDict(2)

    kept.update({"a": 1, "b": 2, "c": 3})

    assert dict(kept) == {"b": 2, "c": 3}


def test_bounded_dictionary_keeps_what_was_set_again() -> None:
    kept: BoundedDict[str, int] = BoundedDict(2)

    kept.update({"a": 1, "b": 2})
    kept["a"] = 10
    kept["c"] = 3

    assert dict(kept) == {"a": 10, "c": 3}


def test_bounded_dictionary_keeps_what_was_touched() -> None:
    kept: BoundedDict[str, int] = BoundedDict(2)

    kept.update({"a": 1, "b": 2})
    kept.touch("a")
    kept.setdefault("c", 3)

    assert list(kept) == ["a", "c"]


def test_looking_an_entry_up_does_not_make_it_newer() -> None:
    kept: BoundedDict[str, int] = BoundedDict(2)

    kept.update({"a": 1, "b": 2})
    assert kept.get("a") == 1
    kept["c"] = 3

    assert list(kept) == ["b", "c"]


def test_bounded_dictionary_tells_what_it_dropped_to_make_room_and_nothing_else() -> None:
    dropped: list[tuple[str, int]] = []
    kept: BoundedDict[str, int] = BoundedDict(
        1, on_evicted=lambda key, value: dropped.append((key, value))
    )

    kept["a"] = 1
    kept["b"] = 2
    del kept["b"]

    assert dropped == [("a", 1)]


def test_entries_that_are_over_are_dropped_up_to_the_first_that_is_not() -> None:
    kept: BoundedDict[str, int] = BoundedDict(9)

    kept.update({"a": 1, "b": 5, "c": 2})
    kept.discard_while(lambda value: value < 3)

    assert list(kept) == ["b", "c"]


def test_a_bound_that_holds_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="holds nothing"):
        BoundedDict(0)


def test_text_form_does_not_show_the_entries() -> None:
    kept: BoundedDict[str, str] = BoundedDict(3)
    kept["key"] = "value"

    assert "value" not in repr(kept)
    assert "key" not in repr(kept)
