"""The golden table of Weave's contract, and that no other byte changes."""

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from countersign.contracts.errors import Rejected
from countersign.contracts.revision import marker_value, parse_revision
from countersign.dialects.repositories.contents import blob_id
from countersign.pr_writer.executor.manifests.scalars import apply, write_scalar
from countersign.pr_writer.jobs.files import check_path, is_misspelt
from countersign.pr_writer.jobs.markers import Misplacement, marker_of, suffix_of
from countersign.pr_writer.parser.scanning import find
from countersign.pr_writer.parser.verification import verify

KEY = "ns:app:prod"
M = '# {"$promotion": "ns:app:prod"}'


def promote(text: str, value: str = "6.1.0", key: str = KEY) -> str:
    body = text.encode()
    ours = [m for m in find(body).marked if suffix_of(m.marker, key=key) is not None]
    values = {"": value, "tag": value}
    after, changed = apply(body, ours, key=key, values=values)
    verify(body, after, places=changed, key=key, values=values)
    return after.decode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f"v: 1.0.0 {M}\n", f"v: 6.1.0 {M}\n"),
        (f'v: "1.0.0" {M}\n', f'v: "6.1.0" {M}\n'),
        (f"v: '1.0.0' {M}\n", f"v: '6.1.0' {M}\n"),
        ('v: 1.0.0 #{"$promotion":"ns:app:prod"}', 'v: 6.1.0 #{"$promotion":"ns:app:prod"}'),
        (f"v: 1.0.0 #{M}\n", f"v: 6.1.0 #{M}\n"),
        (
            'v: 1.0.0 # {"$imagepolicy": "a:b", "$promotion": "ns:app:prod"}\n',
            'v: 6.1.0 # {"$imagepolicy": "a:b", "$promotion": "ns:app:prod"}\n',
        ),
        (f"a:\n  {M}\n  version: 1.0.0\n", f"a:\n  {M}\n  version: 6.1.0\n"),
        (f"a:\n- 1.0.0 {M}\n", f"a:\n- 6.1.0 {M}\n"),
        (f"a:\n  {M}\n  - 1.0.0\n", f"a:\n  {M}\n  - 6.1.0\n"),
        (f"a: {{v: 1.0.0}} {M}\n", f"a: {{v: 6.1.0}} {M}\n"),
        (f"a: [1.0.0] {M}\n", f"a: [6.1.0] {M}\n"),
        (f"a: {{\n v: 1.0.0, {M}\n b: 2}}\n", f"a: {{\n v: 6.1.0, {M}\n b: 2}}\n"),
        (f"a: 1 {M}\nb: 2 {M}\n", f"a: 6.1.0 {M}\nb: 6.1.0 {M}\n"),
        (f"a: 1 {M}\na: 2\n", f"a: 6.1.0 {M}\na: 2\n"),
        (f"a: &v 1.0.0 {M}\nb: *v\n", f"a: &v 6.1.0 {M}\nb: *v\n"),
        (f"a: >- {M}\n  1.0.0\nb: 1\n", f"a: >- {M}\n  6.1.0\nb: 1\n"),
        (f"a: | {M}\n  1.0.0\n\n# c\nb: 1\n", f"a: | {M}\n  6.1.0\n\n# c\nb: 1\n"),
        (f"{M}\na: |\n  1.0.0\n", f"{M}\na: |\n  6.1.0\n"),
        (f"image: ghcr.io/a/b:1.0.0 {M}\n", f"image: 6.1.0 {M}\n"),
        (f"a: 1 {M}\n", f"a: 6.1.0 {M}\n"),
        (f"a: {M}\nb: 1\n", f"a: 6.1.0 {M}\nb: 1\n"),
        (f"a:\n  - {M}\n  - x\n", f"a:\n  - 6.1.0 {M}\n  - x\n"),
        (f"a: 1.0\n  and {M}\nb: 2\n", f"a: 6.1.0 {M}\nb: 2\n"),
        (
            f"# c\n\n---\na: 1 {M}\n---\nb: 2 {M}\n",
            f"# c\n\n---\na: 6.1.0 {M}\n---\nb: 6.1.0 {M}\n",
        ),
        (f"\ufeffa: 1.0.0 {M}\r\nb: é😀\r\n", f"\ufeffa: 6.1.0 {M}\r\nb: é😀\r\n"),
        (f"a:\r\n  {M}\r\n  v: 1\r\n", f"a:\r\n  {M}\r\n  v: 6.1.0\r\n"),
        (f"é: '😀'\na: 1.0.0 {M}", f"é: '😀'\na: 6.1.0 {M}"),
        # Line breaks that YAML 1.1 alone has.
        (f"a: 0\rv: 1.0.0 {M}\rb: 1\r", f"a: 0\rv: 6.1.0 {M}\rb: 1\r"),
        (f"# é\x85# a\u2028\nv: 1.0.0 {M}\n", f"# é\x85# a\u2028\nv: 6.1.0 {M}\n"),
        (
            f"a:   1.0.0     {M}\n\n\n    \nb:   {{a,   b}}\n",
            f"a:   6.1.0     {M}\n\n\n    \nb:   {{a,   b}}\n",
        ),
        (f'a: "x#y" {M}\n', f'a: "6.1.0" {M}\n'),
        # Less deep than what is below it, it can be nothing else's.
        (f"a:\n{M}\n  v: 1.0.0\n", f"a:\n{M}\n  v: 6.1.0\n"),
        (f"a: {{b, v: 1.0.0}} {M}\n", f"a: {{b, v: 6.1.0}} {M}\n"),
        (f"a: [{{v: 1.0.0}}] {M}\n", f"a: [{{v: 6.1.0}}] {M}\n"),
        (
            f"v: 1 {M}\nsops: {{mac: x, mac_only_encrypted: true}}\n",
            f"v: 6.1.0 {M}\nsops: {{mac: x, mac_only_encrypted: true}}\n",
        ),
        (f"v: 1 {M}\na:\n  sops: {{mac: x}}\n", f"v: 6.1.0 {M}\na:\n  sops: {{mac: x}}\n"),
    ],
)
def test_marker_gets_the_value_and_no_other_byte_changes(before: str, after: str) -> None:
    assert promote(before) == after


@pytest.mark.parametrize(
    "text",
    [
        'v: 1.0.0 # {"$promotion": "ns:app:prod", "x": 1}\n',
        "v: 1.0.0 # {'$promotion': 'ns:app:prod'}\n",
        f"v: 1.0.0 # see {M[2:]}\n",
        f"v: 1.0.0 {M} please\n",
        'v: 1.0.0 # {"$promotion": "ns:app:Prod"}\n',
        'v:   1.0.0 # {"$promotion": "ns:other:prod"}\r\n\r\n',
        f'a: "v: 1 {M[2:]}"\n'.replace('"$promotion"', "'$promotion'").replace(
            '"ns:app:prod"', "x"
        ),
    ],
)
def test_file_without_a_marker_of_ours_stays_as_it_is(text: str) -> None:
    assert promote(text) == text
    assert find(text.encode()).misplaced == ()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"spec: {M}\n  a: 1\n", Misplacement.ON_COLLECTION),
        (f"{M}\nspec:\n  a: 1\n", Misplacement.ON_COLLECTION),
        (f"a: {M}\n- 1\n", Misplacement.ON_COLLECTION),
        (f"{M}\n- a: 1\n", Misplacement.ON_COLLECTION),
        (f"a: {{v: 1.0.0, b: 2}} {M}\n", Misplacement.ON_SEVERAL),
        (f"a: [1.0.0, 2.0.0] {M}\n", Misplacement.ON_SEVERAL),
        (f"a: &v 1.0.0\nb: *v {M}\n", Misplacement.ON_ALIAS),
        (f"a: !!int 1 {M}\n", Misplacement.ON_TAG),
        (f"{M}\n\na: 1\n", Misplacement.APART),
        (f"a: {M}\n  1.0.0\n", Misplacement.ON_COLLECTION),
        # Below a value, and deeper than what is below: it is not that key's.
        (f"spec:\n  chart:\n    version: 1.0.0\n    {M}\n  interval: 5m\n", Misplacement.DEEPER),
        (f"tags:\n  - 1.0.0\n  {M}\nreplicas: 3\n", Misplacement.DEEPER),
        (f"a:\n  b: 1\n  {M}\n", Misplacement.DEEPER),
        # Keys in brackets, with and without a colon, and of a template.
        (f"version: {{{{ .Values.v }}}} {M}\n", Misplacement.ON_SEVERAL),
        (f"a: {{b}} {M}\n", Misplacement.ON_SEVERAL),
        (f"a: {{b: {{c}}}} {M}\n", Misplacement.ON_SEVERAL),
        (f"a: {{? b}} {M}\n", Misplacement.ON_SEVERAL),
        (f"a: {{\n b, {M}\n c: 1}}\n", Misplacement.ON_SEVERAL),
        (f"a: |\n  - image: x:1.0.0 {M}\nb: 1\n", Misplacement.IN_BLOCK),
        (f"a: >-\r\n  x: 1\r\n  y: 2 {M}\r\n", Misplacement.IN_BLOCK),
        (f"a: ENC[AES256_GCM,data:x,iv:x,tag:y,type:str] {M}\n", Misplacement.ENCRYPTED),
        (f"v: 1 {M}\nsops:\n  version: 3.8.1\n  mac: ENC[x]\n", Misplacement.SEALED),
        (f"---\nv: 1 {M}\n---\nsops: {{mac: x}}\n", Misplacement.SEALED),
    ],
)
def test_marker_on_no_single_value_is_told_with_its_line(text: str, reason: Misplacement) -> None:
    found = find(text.encode())

    assert found.marked == ()
    assert [m.marker for m in found.misplaced] == [KEY]
    assert found.misplaced[0].reason is reason
    assert "$promotion" in text.splitlines()[found.misplaced[0].line - 1]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("6.9.0", "6.9.0"),
        ("v1.2.3", "v1.2.3"),
        ("1.0.0+build.5", "1.0.0+build.5"),
        ("main@sha1:abc", "main@sha1:abc"),
        ("sha256:" + "0" * 64, "sha256:" + "0" * 64),
        ("6.1.0-rc.1", "6.1.0-rc.1"),
        *((v, f'"{v}"') for v in ("6.10", "1", "true", "1e3", "null", "~", "0x1F", "", "no")),
        *((v, f'"{v}"') for v in ("2026-01-02", "1:30", "a: b", "a #b", "*x", "@x", "x:", ".5")),
        *((v, f'"{v}"') for v in ("1234567", "12e4567", "é", "- a", "{a}", "[", "%x", "`")),
        ('a"b', '"a\\"b"'),
        ("a\\b", '"a\\\\b"'),
    ],
)
def test_value_is_quoted_where_yaml_needs_it(value: str, written: str) -> None:
    assert write_scalar(value, style="", flow=False) == written
    assert yaml.safe_load(written) == value
    assert yaml.safe_load(write_scalar(value, style="'", flow=False)) == value
    assert yaml.safe_load(f"[{write_scalar(value, style='', flow=True)}]") == [value]


@pytest.mark.parametrize("value", ["a\nb", "a\x00", "\u202e6.9.0", "x" * 600])
def test_value_that_is_no_line_of_text_is_refused(value: str) -> None:
    with pytest.raises(Rejected, match="not_promotable"):
        write_scalar(value, style="", flow=False)


@pytest.mark.parametrize(
    "environment", ["First-Environment", "prod eu", "prod.eu", "prod:eu", "a/b", "é", "100%", "#?"]
)
def test_environment_of_any_name_matches_exactly(environment: str) -> None:
    text = f'v: 1 # {{"$promotion": "ns:app:{environment}"}}\n'

    assert promote(text, key=f"ns:app:{environment}").startswith("v: 6.1.0 #")
    assert promote(text, key=f"ns:app:{environment}x") == text


def test_marker_with_suffix_belongs_to_the_key_before_it() -> None:
    assert suffix_of("ns:app:prod:tag", key=KEY) == "tag"
    assert suffix_of("ns:app:prod:digest", key=KEY) == "digest"
    assert suffix_of("ns:app:prod:other", key=KEY) is None
    assert suffix_of("ns:app:prod:", key=KEY) is None


def test_pin_is_written_with_its_tag() -> None:
    digest = "sha256:" + "b" * 64
    text = f'tag: v1.0.0@sha256:{"a" * 64} # {{"$promotion": "{KEY}:tag@digest"}}\n'
    body = text.encode()
    revision = parse_revision(f"v6.1.0@{digest}")

    value = marker_value(revision, "tag@digest")
    after, changed = apply(body, find(body).marked, key=KEY, values={"tag@digest": value})

    assert value == f"v6.1.0@{digest}"
    assert after == text.replace(f"v1.0.0@sha256:{'a' * 64}", value).encode()
    assert len(changed) == 1


@pytest.mark.parametrize("suffix", ["", "tag"])
def test_pin_is_not_dropped(suffix: str) -> None:
    marker = f"{KEY}:{suffix}".rstrip(":")
    body = f'tag: v1@sha256:{"a" * 64} # {{"$promotion": "{marker}"}}\n'.encode()

    with pytest.raises(Rejected, match="not_promotable"):
        apply(body, find(body).marked, key=KEY, values={suffix: "v6.1.0"})


@pytest.mark.parametrize("name", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_file_of_another_encoding_is_not_read_silently(name: str) -> None:
    with pytest.raises(Rejected, match="UTF-16"):
        find(f"v: 1 {M}\n".encode(name))


def test_value_that_is_there_already_is_no_change() -> None:
    body = f"a: 6.1.0 {M}\nb: '6.1.0' {M}\n".encode()

    after, changed = apply(body, find(body).marked, key=KEY, values={"": "6.1.0"})

    assert after == body
    assert changed == ()


def test_file_of_nine_megabytes_is_refused_with_its_size() -> None:
    with pytest.raises(Rejected, match="9000000 bytes, more than"):
        find(b"#" * 9_000_000)


@pytest.mark.parametrize(
    "body",
    [
        b"a: {{ if .x }}\n{{ end }}\n" + M.encode(),
        b"\xff\xfe" + M.encode(),
        M.encode() + b"\na: [",
        b'\tb: 1\n"$promotion"',
    ],
)
def test_file_that_is_no_yaml_is_refused_as_such(body: bytes) -> None:
    with pytest.raises(Rejected, match="not_yaml"):
        find(body)


@pytest.mark.parametrize(
    "body",
    [
        (b"[" * 500 + b"]" * 500 + b" " + M.encode()),
        (b"a: 1\n" * 40_000 + M.encode()),
        (b"sops:\n- " + b"a: 1\n" * 40_000 + b"---\nv: 1 " + M.encode()),
    ],
)
def test_bomb_ends_in_a_typed_error(body: bytes) -> None:
    with pytest.raises(Rejected, match="limit_exceeded"):
        find(body)


def test_parser_that_lies_about_the_place_is_caught() -> None:
    body = f"admin: false\nv: 1.0.0 {M}\n".encode()
    place = find(body).marked[0]
    lie = type(place)(start=7, end=12, style="", marker=place.marker, line=place.line)

    with pytest.raises(Rejected, match="its marker"):
        apply(body, [lie], key=KEY, values={"": "6.1.0"})


@pytest.mark.parametrize(
    ("first", "last", "style"),
    [
        pytest.param("admin", "1.0.0", "", id="from the start of the file"),
        pytest.param("1.0.0", "end: 1", "", id="to the end of the file"),
        pytest.param("admin", "1.0.0", "|", id="as a block"),
        pytest.param('"', 'b: "', '"', id="from one string to another"),
        pytest.param("'", "c: '", "'", id="the same with other quotes"),
        pytest.param("admin", "1.0.0", "?", id="in no style"),
        pytest.param("v", "1.0.0", "", id="with its key"),
    ],
)
def test_parser_that_lies_about_the_extent_costs_no_other_line(
    first: str, last: str, style: str
) -> None:
    """It reads hostile files and checks itself, so what it says is bounded without it."""
    text = f"admin: false\na: \"x\"\nb: \"y\"\nd: 'x'\nc: 'y'\nv: 1.0.0 {M}\nend: 1\n"
    body = text.encode()
    place = find(body).marked[0]
    start, end = text.index(first), text.index(last) + len(last)
    lie = type(place)(start=start, end=end, style=style, marker=place.marker, line=place.line)

    with pytest.raises(Rejected, match="bad_answer"):
        apply(body, [lie], key=KEY, values={"": "6.1.0"})


def test_verify_refuses_a_change_beside_the_marker() -> None:
    body = f"a: 1 {M}\nb: 2\n".encode()

    with pytest.raises(Rejected, match="the marked"):
        verify(
            body,
            body.replace(b"b: 2", b"b: 3"),
            places=find(body).marked,
            key=KEY,
            values={"": "1"},
        )


@pytest.mark.parametrize(
    "path",
    [
        "../a.yaml",
        "/a.yaml",
        "a//b.yaml",
        "a/./b.yaml",
        ".git/config.yaml",
        ".github/workflows/x.yml",
        ".azure-pipelines/x.yml",
        ".gitlab-ci/build.yml",
        ".cirrus.yml",
        ".GitHub/workflows/x.yml",
        ".gitlab-ci.yml",
        "x/.gitlab-ci.prod.yml",
        "azure-pipelines.yml",
        ".circleci/config.yml",
        "a\\b.yaml",
        "a\nb.yaml",
        "Jenkinsfile",
        "apps.txt",
        "other/a.yaml",
        "atlantis.yaml",
        ".zuul.yaml",
        "zuul.d/jobs.yaml",
        ".mergify.yml",
        ".mergify/config.yml",
        ".build.yml",
        ".builds/debian.yml",
        ".prow.yaml",
        ".prow/jobs/unit.yaml",
        ".tekton/push.yaml",
        ".woodpecker.yml",
        ".drone.yaml",
        ".travis.yml",
        "tools/action.yml",
        "buildspec.yml",
        "cloudbuild.yaml",
        "codefresh.yml",
        "bitbucket-pipelines.yml",
        "azure-pipelines.deploy.yml",
        "AppVeyor.yml",
        "jenkins-x.yml",
    ],
)
def test_path_that_runs_code_or_leaves_the_folder_is_refused(path: str) -> None:
    with pytest.raises(Rejected, match="not_promotable"):
        check_path(path, root="" if "other" not in path else "apps")


def test_blob_id_is_gits() -> None:
    assert blob_id(b"what is up, doc?") == "bd9dbf5aae1a3862dd1526723246b20206e5fc37"


_text = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=12)
_scalar = st.one_of(
    st.sampled_from(
        ["1.0.0", "'x'", '"y"', "~", "0x1F", "&a{n} 3", "é😀", "[1]", "{k: v}", ">-\n  z"]
    ),
    _text.map(lambda t: '"' + t.replace("\\", "").replace('"', "") + '"'),
)
_line = st.tuples(_scalar, st.sampled_from(["", M, '# {"$promotion": "ns:app:dev"}', "# note"]))


@settings(max_examples=200, deadline=None)
@given(
    st.lists(_line, min_size=1, max_size=8),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from(["", "\ufeff"]),
    st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), max_size=20),
)
def test_only_marked_scalars_change_whatever_stands_around_them(
    lines: list[tuple[str, str]], line_break: str, head: str, value: str
) -> None:
    def line(n: int, scalar: str, comment: str) -> str:
        first, _, rest = scalar.replace("{n}", str(n)).partition("\n")
        return f"k{n}:   {first} {comment}" + (f"\n{rest}" if rest else "")

    text = "\n".join(line(n, *pair) for n, pair in enumerate(lines)).replace("\n", line_break)
    body = (head + text).encode()

    ours = [m for m in find(body).marked if m.marker == KEY]
    after, changed = apply(body, ours, key=KEY, values={"": value})

    verify(body, after, places=changed, key=KEY, values={"": value})
    assert len(ours) == sum(comment == M for _, comment in lines)
    loaded = yaml.safe_load(after.decode())
    for n, (scalar, comment) in enumerate(lines):
        if comment == M and scalar[0] not in "[{":
            assert str(loaded[f"k{n}"]) == value
    kept = [line for line in body.split(b"\n") if M.encode() not in line and b"  z" not in line]
    assert [line for line in after.split(b"\n") if line in kept] == kept


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60).map(lambda b: b + M.encode()))
def test_any_bytes_end_in_markers_or_a_typed_error(body: bytes) -> None:
    try:
        find(body)
    except Rejected as error:
        refusal = error.reason
    else:
        return
    assert refusal in {"not_yaml", "limit_exceeded"}


@given(st.text(max_size=40))
def test_any_comment_is_a_marker_or_not(comment: str) -> None:
    assert marker_of(f"# $promotion{comment}") is None


@pytest.mark.parametrize(
    "path",
    [
        "kubernetes/flux/repositories/oci/actions-runner-controller.yaml",
        "apps/prod/action-server.yaml",
        "apps/prod/codefresh-runner.yaml",
        "apps/prod/azure-pipelines-agent.yaml",
        "apps/prod/cloudbuild-notifier.yaml",
        "apps/prod/atlantis-server.yaml",
        "apps/zuul/release.yaml",
        "apps/prow/release.yaml",
        "apps/drone.yaml",
        "apps/woodpecker/travis.yaml",
        "tekton/pipelines.yaml",
        "apps/.hidden/release.yaml",
    ],
)
def test_path_that_runs_none_is_written(path: str) -> None:
    check_path(path, root="")


@pytest.mark.parametrize(("path", "is_so"), [("a.YAML", True), ("a.Yml", True), ("a.yaml", False)])
def test_yaml_that_nobody_reads_is_known_as_such(*, path: str, is_so: bool) -> None:
    assert is_misspelt(path) is is_so
