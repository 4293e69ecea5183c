"""Texts that have to be of a form: who writes another is told the form in words."""

import re
from enum import StrEnum

from pydantic import AfterValidator


class Form(StrEnum):
    """The form that a text has not."""

    SLASH_AT_END = "slash_at_end"
    UPPER_CASE = "upper_case"
    NO_ORIGIN = "no_origin"
    PATTERN = "pattern"


class FormError(ValueError):
    """A text is not as it should be written.

    Args:
        form: the stable word for it.
        words: what it is or is not, for a person; they never repeat the text.

    """

    def __init__(self, form: Form, words: str) -> None:
        super().__init__(words)
        self.form = form


def written(pattern: str, *, words: str) -> AfterValidator:
    """Accept what the whole pattern matches.

    Args:
        pattern: a regular expression.
        words: what follows "it is to be written", for a person.

    """
    form = re.compile(pattern)

    def check(text: str) -> str:
        if not form.fullmatch(text):
            raise FormError(Form.PATTERN, f"is to be written {words}")
        return text

    return AfterValidator(check)
