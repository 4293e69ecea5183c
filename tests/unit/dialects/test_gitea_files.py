"""Files that Gitea and Forgejo give with their bytes, or say to be there without them."""

import base64

import pytest

from countersign.dialects.gitea import answers
from countersign.dialects.repositories.contents import File, blob_id
from countersign.dialects.shapes import OddError

BODY = b"v: 1\n"
OID = blob_id(BODY)


def blob(content: str | None, *, size: int = len(BODY), sha: str = OID) -> dict[str, object]:
    return {"sha": sha, "size": size, "encoding": "base64", "content": content}


def test_file_comes_with_its_bytes() -> None:
    read = answers.file_of(blob(base64.b64encode(BODY).decode()), bytes_max=100)

    assert read == File(object_id=OID, size_bytes=len(BODY), body=BODY)


@pytest.mark.parametrize("content", [None, ""])
def test_file_beyond_what_the_api_gives_is_there_without_bytes(content: str | None) -> None:
    """The administrator may have set less than the 10 MiB that are usual."""
    read = answers.file_of(blob(content, size=2_000_000), bytes_max=8_000_000)

    assert (read.body, read.size_bytes) == (None, 2_000_000)


def test_empty_file_is_read_as_one() -> None:
    read = answers.file_of(blob("", size=0, sha=blob_id(b"")), bytes_max=100)

    assert read.body == b""


def test_file_with_other_bytes_than_its_name_is_refused() -> None:
    with pytest.raises(OddError):
        answers.file_of(blob(base64.b64encode(b"v: 2\n").decode()), bytes_max=100)
