"""Files of five megabytes: bombs end in a reason, and what is not one costs no promotion."""

from collections import Counter
from collections.abc import AsyncIterator

import pytest
from doubles.parser_process import running_parser
from doubles.pr_writer_stage import MANIFEST, REPOSITORY, Runner, Story

from countersign.contracts.messages import FailureDetail, FailureReason
from countersign.dialects.repositories.contents import blob_id
from countersign.pr_writer.executor.manifests.parser_client import Parser
from countersign.pr_writer.jobs.outcomes import Known
from countersign.pr_writer.parser.parsing import CPU_S

BYTES = 5_000_000
M = b'# {"$promotion": "apps:podinfo:prod"}'
V = b"v: 6.8.0 " + M + b"\n"


@pytest.fixture
async def parser() -> AsyncIterator[Parser]:
    async with running_parser() as made:
        yield made


def repeated(unit: bytes) -> bytes:
    return unit * (BYTES // len(unit))


BOMBS = {
    "deep in brackets": V + b"b: " + b"[" * BYTES,
    "deep in blocks": V + b"\n".join(b" " * n + b"a:" for n in range(3_100)),
    "deep in one line": V + repeated(b"? "),
    "many values": V + repeated(b"abc: 12345678\n"),
    "many aliases": V + b"a: &a [x, x]\n" + repeated(b"b: [*a, *a, *a, *a]\n"),
    "many lines": V + b"\n" * BYTES,
    "many documents": V + repeated(b"---\n"),
    "many documents with markers": repeated(b"---\nv: 1 " + M + b"\n"),
    "many markers on nothing": repeated(M + b"\n") + V,
    "deep in what SOPS may have signed": V + b"---\nsops: " + b"[" * BYTES,
}


@pytest.mark.parametrize("bomb", BOMBS)
async def test_bomb_of_five_megabytes_ends_in_a_reason(parser: Parser, bomb: str) -> None:
    """And costs no other file: the parser, under its own limits, goes on with the next."""
    found = await parser.find({"bomb.yaml": BOMBS[bomb], "release.yaml": V})

    assert found["bomb.yaml"].reason == "limit_exceeded"
    assert len(found["release.yaml"].marked) == 1


ODD = {
    "one line": V + b"a: " + b"x" * BYTES,
    "a block": V + b"a: |\n" + repeated(b"  # what looks like a comment\n"),
    "comments": V + repeated(b"# a comment\n"),
    "a bomb beside": V + b"---\nb: " + b"[" * BYTES,
    "markers as many as may be": b"".join(b"a: 1 " + M + b"\n" for _ in range(9_999)),
    "markers above nothing": (M + b"\n\n") * 9_999 + b"v: 1\n",
    "brackets on one line": b"a: {" + b"b: 1, " * 20_000 + b"} " + M + b"\n",
    "markers in brackets": b"a: [\n" + (b"1, 2, " + M + b"\n") * 9_999 + b"]\n",
}


@pytest.mark.parametrize("file", ODD)
async def test_file_that_is_odd_and_no_bomb_is_read_within_the_limits(
    parser: Parser, file: str
) -> None:
    """Twice in one process, whose seconds of CPU are counted together."""
    found = await parser.find({"a.yaml": ODD[file], "b.yaml": ODD[file]})

    assert CPU_S == 5
    assert [f.reason for f in found.values()] == ["", ""]
    assert all(f.marked or f.misplaced for f in found.values())


async def test_large_files_beside_the_marker_cost_no_promotion(
    story: Story, runner: Runner
) -> None:
    """What does not fit into one job is named, and the next one reads it."""
    lines = "# a line of a large file, of which there are many\n"
    large = {f"crds/{n}.yaml": f"# {n}\n" + lines * (BYTES // len(lines)) for n in range(6)}
    story.forge.commit(REPOSITORY, {**large, "crds/too-large.yaml": lines * 180_000})

    first = await runner.open(story.job())
    told = story.forge.pull(REPOSITORY, first.pull.pull_request.number).body
    second = await runner.open(story.job(story.requested("6.9.1"), known=first.learned))
    told_then = story.forge.pull(REPOSITORY, second.pull.pull_request.number).body

    assert first.files == second.files == ("clusters/prod/podinfo.yaml",)
    skipped = [path for path in (*large, "crds/too-large.yaml") if path in told]
    assert skipped == ["crds/5.yaml", "crds/too-large.yaml"]
    assert not any(path in told_then for path in large)


async def test_file_whose_marker_was_not_looked_for_is_named(story: Story, runner: Runner) -> None:
    lines = "# a line of a large file, of which there are many\n"
    large = {f"a/{n}.yaml": f"# {n}\n" + lines * (BYTES // len(lines)) for n in range(5)}
    release = MANIFEST % "prod" + lines * 150_000
    story.forge.commit(REPOSITORY, {**large, "clusters/prod/podinfo.yaml": release})

    outcome = await runner.fail(story.job())

    assert outcome.reason is FailureReason.NO_MARKER
    assert outcome.detail is FailureDetail.FILE_TOO_LARGE
    assert outcome.path == "clusters/prod/podinfo.yaml"


async def test_files_that_are_too_much_for_one_answer_are_read_one_by_one(
    story: Story, runner: Runner
) -> None:
    """GitHub tells no sizes with a folder, so it shows only with what it answers."""
    line = "# a line of a file\n"
    texts = {f"many/{n}.yaml": f"v: 6.9.0 {M.decode()}\n" + line * 12_500 for n in range(37)}
    texts["many/0.yaml"] = texts["many/0.yaml"].replace("6.9.0", "6.8.0")
    ids = {path: blob_id(text.encode()) for path, text in texts.items()}
    known = Known(markers=dict.fromkeys(ids.values(), ("apps:podinfo:prod",)), files=ids)
    story.forge.commit(REPOSITORY, dict(texts))

    outcome = await runner.open(story.job(story.requested(path="many"), known=known))

    assert outcome.files == ("many/0.yaml",)
    branch = outcome.pull.pull_request.head_branch
    written = story.forge.read(REPOSITORY, "many/0.yaml", revision=branch)
    assert written == texts["many/0.yaml"].replace("6.8.0", "6.9.0").encode()
    asked = Counter(runner.calls)
    assert (asked["look at the repository"], asked["read files"]) == (2, 2)
    assert asked["read a file"] == len(texts)
