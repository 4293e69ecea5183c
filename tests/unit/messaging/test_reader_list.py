"""Readers as an installation lists them."""

from pathlib import Path

import pytest

from countersign.contracts.errors import Rejected
from countersign.messaging.administration.reader_list import without_keys
from countersign.process.refusals import ProcessRefusal


def listed(folder: Path, text: str) -> Path:
    path = folder / "readers.yaml"
    path.write_text(text)
    return path


def test_listed_readers_are_read_with_their_namespaces(tmp_path: Path) -> None:
    path = listed(tmp_path, "readers: [{name: chat, namespaces: [shop]}, {name: archive}]")

    chat, archive = without_keys(path)

    assert chat.subjects == ("countersign.v1.*.*.shop.>",)
    assert archive.subjects == ("countersign.v1.>",)


@pytest.mark.parametrize("text", ["", "readers: []", "{}"])
def test_nobody_is_listed(tmp_path: Path, text: str) -> None:
    assert without_keys(listed(tmp_path, text)) == ()


@pytest.mark.parametrize(
    "text",
    [
        "readers: [{name: Chat}]",
        "readers: [{name: ../chat}]",
        "readers: [{name: chat}, {name: chat}]",
        "readers: [{name: chat, namespace: shop}]",
        "readers: [{name: chat, namespaces: ['']}]",
        "readers: [chat]",
        "- chat",
        "{",
    ],
)
def test_list_that_is_wrong_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(Rejected) as refused:
        without_keys(listed(tmp_path, text))

    assert refused.value.reason is ProcessRefusal.BAD_DOCUMENT
