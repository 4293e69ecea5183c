"""The files of `docs/repositories.md` are read as they stand there, and promoted by the editor."""

import re

import pytest
import yaml
from reference import ROOT

from countersign.contracts.revision import SUFFIXES, marker_value, parse_revision
from countersign.kube.pipelines.pipeline import Pipeline, read_pipeline
from countersign.pr_writer.executor.manifests.scalars import apply
from countersign.pr_writer.jobs.markers import suffix_of
from countersign.pr_writer.parser.scanning import find
from countersign.pr_writer.parser.verification import verify

PAGE = (ROOT / "docs/repositories.md").read_text()
FILES: dict[str, str] = dict(re.findall(r"```yaml\n# (\S+)\n(.*?)```", PAGE, re.DOTALL))
DIGEST = "sha256:" + "9b" * 32
COMMIT = "7efa1a2c" * 5
# What the environment below runs, as Flux records it, and the value that each marker gets of it.
CHART = parse_revision("6.9.0")
ARTIFACT = parse_revision(f"6.9.0+{DIGEST[7:19]}", digest=DIGEST)
TAGGED = parse_revision(f"6.9.0@{DIGEST}")
COMMITTED = parse_revision(f"main@sha1:{COMMIT}")
BECOMES = {
    "apps/checkout/prod/release.yaml": (CHART, ["6.9.0"]),
    "apps/billing/prod/release.yaml": (CHART, ["6.9.0"]),
    "apps/search/test/source.yaml": (ARTIFACT, ["6.9.0"]),
    "apps/search/staging/source.yaml": (ARTIFACT, [DIGEST]),
    "apps/search/prod/source.yaml": (ARTIFACT, ["6.9.0", DIGEST]),
    "apps/search/prod/values.yaml": (ARTIFACT, [f"6.9.0@{DIGEST}"]),
    "apps/website/prod/site.yaml": (COMMITTED, [COMMIT]),
    "apps/shopfront/prod/kustomization.yaml": (TAGGED, ["6.9.0"]),
    "clusters/prod-eu/gateway.yaml": (CHART, ["6.9.0"]),
    "clusters/prod-us/gateway.yaml": (CHART, ["6.9.0"]),
}
PIPELINES = {
    (made.key.namespace, made.key.name): made
    for path, text in FILES.items()
    if path.startswith("pipelines/")
    for made in [read_pipeline(yaml.safe_load(text))]
}


def _marked(path: str) -> str:
    """The one key that a file is marked with, without endings."""
    keys = {":".join(m.marker.split(":")[:3]) for m in find(FILES[path].encode()).marked}
    (key,) = keys
    return key


def test_every_marked_file_of_the_page_is_promoted_here() -> None:
    assert {path for path, text in FILES.items() if "$promotion" in text} == set(BECOMES)


@pytest.mark.parametrize("path", FILES)
def test_file_is_yaml(path: str) -> None:
    assert all("kind" in document for document in yaml.safe_load_all(FILES[path]))


@pytest.mark.parametrize("pipeline", PIPELINES.values(), ids=lambda p: p.key.name)
def test_pipeline_of_the_page_is_sound(pipeline: Pipeline) -> None:
    assert pipeline.is_sound
    assert pipeline.findings == ()


@pytest.mark.parametrize("path", BECOMES)
def test_marker_of_the_page_is_of_one_of_its_pipelines(path: str) -> None:
    namespace, name, environment = _marked(path).split(":")

    environments = [e.name for e in PIPELINES[namespace, name].environments]

    assert environment in environments[1:]


@pytest.mark.parametrize("path", BECOMES)
def test_marked_values_and_nothing_else_become_what_the_page_says(path: str) -> None:
    revision, expected = BECOMES[path]
    body, key = FILES[path].encode(), _marked(path)
    found = find(body)
    ours = [m for m in found.marked if suffix_of(m.marker, key=key) is not None]
    suffixes = {suffix_of(m.marker, key=key) or "" for m in ours}
    values = {suffix: marker_value(revision, suffix) for suffix in suffixes}

    after, changed = apply(body, ours, key=key, values=values)

    assert found.misplaced == ()
    verify(body, after, places=changed, key=key, values=values)
    pairs = zip(body.decode().splitlines(), after.decode().splitlines(), strict=True)
    lines = [new for old, new in pairs if old != new]
    assert [line.split(": ", 1)[1].split(" #")[0] for line in lines] == expected


def test_page_tells_every_ending() -> None:
    told = set(re.findall(r"^\| `:(\S+)` \|", PAGE, re.MULTILINE))

    assert told == set(SUFFIXES) - {""}
