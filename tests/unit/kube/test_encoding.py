"""What is sent is JSON, and YAML as the API server reads it."""

import json

import pytest
import yaml

from countersign.kube.access.api import KEY_CHARACTERS_MAX, encoded, fits_as_key

TEXTS = [
    *("plain", "größer 日本", "🚀 released", "\\ud83d", 'quoted "\\'),
    "\x00\x1f\x7f\x85\u2028\ufeff",
]


@pytest.mark.parametrize("text", TEXTS, ids=ascii)
def test_every_text_is_the_same_in_json_and_in_yaml(text: str) -> None:
    body = encoded({"message": text, text: 1})

    assert json.loads(body) == {"message": text, text: 1}
    assert yaml.safe_load(body) == {"message": text, text: 1}


def test_half_a_character_is_replaced() -> None:
    assert json.loads(encoded({"message": "a\ud83d"})) == {"message": "a\ufffd"}


@pytest.mark.parametrize("letter", ["x", "é", "\x01"])
def test_key_that_is_too_long_is_known_by_what_is_sent(letter: str) -> None:
    width = len(json.dumps(letter, ensure_ascii=False)) - 2

    assert fits_as_key(letter * 100)
    assert not fits_as_key(letter * (KEY_CHARACTERS_MAX // width + 1))
