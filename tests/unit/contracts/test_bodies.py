"""Bodies from outside: one gzip at most, and no more than was said before."""

import gzip
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from countersign.contracts.bounds.bodies import BodyError, BoundedBody

MAX = 4096


def read(encoding: str | None, *chunks: bytes, bytes_max: int = MAX) -> bytes:
    body = BoundedBody(encoding, bytes_max=bytes_max)
    for chunk in chunks:
        body.feed(chunk)
    return body.whole()


@given(content=st.binary(max_size=MAX), cut=st.integers(0, MAX))
def test_body_is_read_as_it_is_or_from_one_gzip(content: bytes, cut: int) -> None:
    packed = gzip.compress(content)

    assert read("", content[:cut], content[cut:]) == content
    if len(packed) <= MAX:
        assert read("gzip", packed[:cut], packed[cut:]) == content


@pytest.mark.parametrize(
    "encoding", ["gzip, gzip", "gzip,gzip", "br", "deflate", "zstd", "identity, gzip", "x"]
)
def test_other_encodings_are_refused_before_anything_is_unpacked(encoding: str) -> None:
    with pytest.raises(BodyError):
        BoundedBody(encoding, bytes_max=MAX)


def test_gzip_in_gzip_stays_gzip() -> None:
    once = gzip.compress(b"{}")

    assert read("gzip", gzip.compress(once)) == once


@pytest.mark.parametrize("size", [MAX + 1, 400 * MAX])
def test_body_that_is_larger_than_allowed_is_refused(size: int) -> None:
    with pytest.raises(BodyError):
        read("", b"x" * size)
    with pytest.raises(BodyError):
        read("gzip", gzip.compress(b"x" * size))


def test_body_of_the_largest_size_is_read() -> None:
    assert len(read("gzip", gzip.compress(b"x" * MAX))) == MAX


@pytest.mark.parametrize(
    "packed",
    [b"no gzip", gzip.compress(b"{}")[:-3], gzip.compress(b"{}") + b"more", b"\x1f\x8b"],
    ids=["text", "cut off", "followed by more", "head only"],
)
def test_what_is_no_gzip_or_cut_off_or_followed_by_more_is_refused(packed: bytes) -> None:
    with pytest.raises(BodyError):
        read("gzip", packed)


def test_bomb_costs_no_more_than_its_bound() -> None:
    """A quarter of a gigabyte in a quarter of a megabyte."""
    bomb = gzip.compress(bytes(256 * 1024 * 1024), compresslevel=9)
    body = BoundedBody("gzip", bytes_max=1024 * 1024)

    tracemalloc.start()
    with pytest.raises(BodyError):
        body.feed(bomb)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak_bytes < 8 * 1024 * 1024


def test_empty_body_has_no_end_to_miss() -> None:
    assert read("gzip") == b""
