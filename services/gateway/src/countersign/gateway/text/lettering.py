"""Characters that deceive a reader: shown escaped, and named where somebody is to consent. Pure.

Source: https://www.unicode.org/reports/tr36/ and https://www.unicode.org/reports/tr39/
"""

import unicodedata
from typing import Final

# Letters without a shape, which Unicode does not count as invisible.
_BLANK: Final = frozenset("\u115f\u1160\u2800\u3164\uffa0\u034f")
_LINES: Final = frozenset("\n\t")
# Scripts with letters that look like those of another.
_ALIKE: Final = frozenset({"LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC"})
# Words can be made of these alone that look as if they were Latin.
_TWINS: Final = frozenset("асеорхуѕіјһԁԛԝкмтвнАВЕКМНОРСТХЅІЈανορυικΑΒΕΖΗΙΚΜΝΟΡΤΥΧ")


def _hides(character: str) -> bool:
    return not character.isprintable() or character in _BLANK


def visible(text: str) -> str:
    """Escape what cannot be seen or turns text around; line breaks and tabs stay."""
    if text.isprintable() and _BLANK.isdisjoint(text):
        return text
    return "".join(f"⟨U+{ord(c):04X}⟩" if _hides(c) and c not in _LINES else c for c in text)


def hidden(text: str) -> tuple[str, ...]:
    """Name the characters of a name that cannot be seen or turn text around."""
    return tuple(dict.fromkeys(_named(c) for c in text if _hides(c)))


def alike(text: str) -> tuple[str, ...]:
    """Name the letters of a name that look like letters of another script.

    A name in one script is as its people write it, unless all of it could be read as Latin.
    """
    letters = [c for c in text if c.isalpha()]
    scripts = {s for c in letters if (s := _script(c)) in _ALIKE}
    foreign = [c for c in letters if not c.isascii() and _script(c) in _ALIKE - {"LATIN"}]
    if len(scripts) < 2 and not (foreign and _TWINS.issuperset(foreign)):  # noqa: PLR2004 - a mix
        return ()
    return tuple(dict.fromkeys(f"“{c}” {_named(c)}" for c in foreign))


def _script(character: str) -> str:
    return unicodedata.name(character, "").partition(" ")[0]


def _named(character: str) -> str:
    name = unicodedata.name(character, "")
    return f"U+{ord(character):04X}" + (f" {name}" if name else "")
