"""The scanner of the demonstration: what it finds, and that it says what it cannot read."""

import base64
import zlib
from pathlib import Path

import pytest

from countersign.contracts.errors import Rejected
from countersign.local.demo.walk.scanning import Scanner

CANARY = "cAnArY0123456789"
TOKEN = f"ghu_{CANARY}restOfIt"


@pytest.mark.parametrize(
    "content",
    [
        TOKEN.encode(),
        TOKEN.lower().encode(),
        CANARY[3:13].encode(),
        TOKEN[::-1].encode(),
        TOKEN.encode().hex().encode(),
        TOKEN.encode("utf-16-le"),
        "".join(f"%{ord(c):02x}" for c in TOKEN).encode(),
        base64.b64encode(TOKEN.encode()),
        base64.b64encode(b"x" + TOKEN.encode()),
        base64.b64encode(b"xy" + TOKEN.encode()),
        base64.urlsafe_b64encode(f"user:{TOKEN}".encode()),
    ],
    ids=[
        "plain", "lower-case", "a-part", "reversed", "hexadecimal", "utf-16", "percent",
        "base64", "base64-shifted-by-1", "base64-shifted-by-2", "basic",
    ],
)  # fmt: skip
def test_token_is_found_in_every_encoding_it_may_be_kept_in(content: bytes) -> None:
    finds = list(Scanner(CANARY).search(b"\x00noise" + content + b"noise\xff", "here"))

    assert [find.place for find in finds] == ["here"]


def test_other_text_is_not_found() -> None:
    noise = b"ghu_" + b"abcdefghijklmnopqrstuvwxyz" * 1000

    assert list(Scanner(CANARY).search(noise, "here")) == []


def test_token_is_found_across_chunks(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_bytes(b"x" * (4 * 1024 * 1024 - 8) + TOKEN.encode() + b"y" * 100)

    assert [f.place for f in Scanner(CANARY).search_file(file)] == [str(file)]


def test_token_is_found_in_a_git_object(tmp_path: Path) -> None:
    file = tmp_path / "objects" / "ab" / "cdef"
    file.parent.mkdir(parents=True)
    file.write_bytes(zlib.compress(b"blob 9\x00" + TOKEN.encode()))

    assert [f.place for f in Scanner(CANARY).search_tree(tmp_path)] == [str(file)]


def test_token_is_found_in_a_name(tmp_path: Path) -> None:
    (tmp_path / TOKEN).touch()

    assert len(list(Scanner(CANARY).search_tree(tmp_path))) == 1


def test_what_is_found_never_shows_the_token() -> None:
    finds = list(Scanner(CANARY).search(TOKEN.encode(), "here"))

    assert CANARY not in repr(finds)


def test_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)

    with pytest.raises(Rejected) as caught:
        list(Scanner(CANARY).search_file(loop))

    assert caught.value.reason == "unreadable"


def test_canary_that_is_too_short_to_mean_anything_is_refused() -> None:
    with pytest.raises(Rejected):
        Scanner("short")
