"""The chain of promotions beside the Pipeline's file."""

from pathlib import Path

import pytest
from doubles.watched import pipeline_manifest

from countersign.contracts.messages import Content, Revision
from countersign.kube.flux.rules import read_object
from countersign.kube.pipelines.pipeline import Pipeline
from countersign.watcher.model import NO_LINK, Link
from countersign.watcher.status.files import StatusFiles

CONTENT = Content(identity="6.9.0", revision=Revision(recorded="6.9.0", version="6.9.0"))
LINK = Link(
    promotion_id="p" * 16,
    content=CONTENT,
    previous_promotion_id="o" * 16,
    completed=True,
    tried=2,
    superseded=("s" * 16,),
)


def pipeline(**metadata: str) -> Pipeline:
    manifest = pipeline_manifest("dev", "prod")
    manifest["metadata"].update(metadata)
    read = read_object(manifest)
    assert isinstance(read, Pipeline)
    return read


@pytest.fixture
def files(tmp_path: Path) -> StatusFiles:
    return StatusFiles(lambda _key: tmp_path / "checkout.yaml")


def test_what_was_written_is_read_by_another_watcher(files: StatusFiles, tmp_path: Path) -> None:
    files.write(pipeline(), {"prod/eu ü": LINK, "dev": NO_LINK})

    other = StatusFiles(lambda _key: tmp_path / "checkout.yaml")

    assert other.read(pipeline()) == {"prod/eu ü": LINK}
    assert [p.name for p in tmp_path.iterdir()] == [".shop.checkout.status.yaml"]


def test_links_of_an_earlier_pipeline_of_that_name_do_not_count(files: StatusFiles) -> None:
    files.write(pipeline(), {"prod": LINK})

    assert files.read(pipeline(uid="uid-2")) == {}


@pytest.mark.parametrize(
    "junk",
    ["", "[", "uid: uid-1\nenvironments: 3", "uid: uid-1\nenvironments: {prod: {content: {x: 1}}}"],
)
def test_junk_reads_as_no_links(junk: str, files: StatusFiles, tmp_path: Path) -> None:
    (tmp_path / ".shop.checkout.status.yaml").write_text(junk)

    assert files.read(pipeline()) == {}


def test_nothing_is_written_when_nothing_changed(files: StatusFiles, tmp_path: Path) -> None:
    files.write(pipeline(), {"prod": LINK})
    before = (tmp_path / ".shop.checkout.status.yaml").stat().st_ino

    files.write(pipeline(), {"prod": LINK})
    files.write(pipeline(name="other"), {"prod": NO_LINK})

    assert (tmp_path / ".shop.checkout.status.yaml").stat().st_ino == before
    assert len(list(tmp_path.iterdir())) == 1


def test_very_long_names_have_a_file_too(files: StatusFiles) -> None:
    long = pipeline(name="n" * 253)

    files.write(long, {"prod": LINK})

    assert files.read(long) == {"prod": LINK}
