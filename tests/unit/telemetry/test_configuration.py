"""Files of the administrator: what is wrong is said, and never what they hold."""

from pathlib import Path

import pytest
from pydantic import BaseModel

from countersign.contracts.errors import Rejected
from countersign.contracts.forge_list import ForgeList
from countersign.process.configuration import DOCUMENT_BYTES_MAX, BadDocument, read_document
from countersign.process.secret_files import SECRET_BYTES_MAX, read_secret, read_token


class Shelf(BaseModel):
    books: tuple[int, ...] = ()


def test_document_is_read_and_an_empty_one_has_no_fields(tmp_path: Path) -> None:
    (tmp_path / "full.yaml").write_text("books: [1, 2]")
    (tmp_path / "empty.yaml").write_text("")

    assert read_document(tmp_path / "full.yaml", Shelf) == Shelf(books=(1, 2))
    assert read_document(tmp_path / "empty.yaml", Shelf) == Shelf()


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"books: [1,\nsecret-word", "is not YAML: line 2"),
        (b"books: \xff", "is not YAML"),
        (b"books: [" * 100_000, "is not YAML"),
        (b"books: [secret-word]", "books entry 1: should be a valid integer"),
        (b"secret-word", "should be a valid dictionary"),
        (b" " * (DOCUMENT_BYTES_MAX + 1), "is larger than 1048576 bytes"),
    ],
    ids=["cut off", "binary", "deep", "wrong field", "no fields", "large"],
)
def test_document_that_is_wrong_is_named_with_the_place(
    tmp_path: Path, body: bytes, says: str
) -> None:
    path = tmp_path / "shelf.yaml"
    path.write_bytes(body)

    with pytest.raises(Rejected) as refused:
        read_document(path, Shelf)

    assert refused.value.reason == "bad_document"
    assert refused.value.message.startswith(str(path))
    assert says in refused.value.message
    assert "secret-word" not in refused.value.message
    assert refused.value.__cause__ is None


def test_what_is_wrong_with_a_forge_list_is_told_with_the_name_of_the_forge(tmp_path: Path) -> None:
    path = tmp_path / "forges.yaml"
    path.write_text("forges: [{name: GitHub, kind: github, origin: 'https://github.com/x'}]")

    with pytest.raises(BadDocument) as refused:
        read_document(path, ForgeList)

    (wrong,) = refused.value.wrong
    assert (wrong.code, wrong.subject) == ("no_origin", "forges 'GitHub', origin")
    assert str(wrong) in refused.value.message


def test_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="/none'"):
        read_document(tmp_path / "none", Shelf)
    with pytest.raises(Rejected, match="/none'"):
        read_secret(tmp_path / "none")


def test_secret_is_read_without_its_line_end(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("made-up-key\n")

    assert read_secret(tmp_path / "key").reveal() == "made-up-key"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b" \n", "is empty"),
        (b"\xff\xfe", "is not text"),
        (b"k" * (SECRET_BYTES_MAX + 1), "is larger than"),
    ],
    ids=["empty", "binary", "large"],
)
def test_secret_that_cannot_be_one_is_refused(tmp_path: Path, body: bytes, says: str) -> None:
    (tmp_path / "key").write_bytes(body)

    with pytest.raises(Rejected, match=says):
        read_secret(tmp_path / "key")


def test_token_is_never_taken_from_a_later_key(tmp_path: Path) -> None:
    """Whoever checks a Secret and whoever uses it look at the same key."""
    folder = tmp_path / "apps" / "bot"
    folder.mkdir(parents=True)
    (folder / "password").write_text("made-up-password")

    assert read_token(tmp_path, namespace="apps", name="bot").reveal() == "made-up-password"

    (folder / "token").write_text("")
    with pytest.raises(Rejected, match="'token'"):
        read_token(tmp_path, namespace="apps", name="bot")
