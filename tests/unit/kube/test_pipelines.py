"""Pipelines as people write them, wrongly too."""

from typing import Any

import pytest
import yaml
from reference import skip_without

from countersign.contracts.messages import AutoMerge, CredentialMode, FindingLevel, ForgeKind
from countersign.kube.pipelines.fields import unknown_fields
from countersign.kube.pipelines.pipeline import Pipeline, as_stored, read_pipeline


def ask(**changes: Any) -> dict[str, Any]:
    return {
        "type": "github",
        "url": "https://github.com/shop/gitops",
        "baseBranch": "main",
        **changes,
    }


def pipeline(*names: str, promotion: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    promotion = promotion or {"strategy": {"pull-request": ask()}}
    environments = [{"name": n, "targets": [{"namespace": f"ns-{i}"}]} for i, n in enumerate(names)]
    return {
        "apiVersion": "pipelines.weave.works/v1alpha1",
        "kind": "Pipeline",
        "metadata": {"name": "checkout", "namespace": "shop"},
        "spec": {
            "appRef": {
                "apiVersion": "helm.toolkit.fluxcd.io/v2",
                "kind": "HelmRelease",
                "name": "podinfo",
            },
            "environments": environments,
            "promotion": promotion,
            **spec,
        },
    }


def codes(read: Pipeline) -> list[str]:
    return [finding.code for finding in read.findings]


@pytest.mark.parametrize(
    ("changes", "mode"),
    [
        pytest.param({}, CredentialMode.DELEGATED, id="nothing said"),
        pytest.param({"secretRef": {"name": "bot"}}, CredentialMode.STORED, id="secret named"),
        pytest.param(
            {"secretRef": {"name": "bot"}, "credential": "delegated"},
            CredentialMode.DELEGATED,
            id="field wins over secret",
        ),
        pytest.param({"credential": "app"}, CredentialMode.APP, id="app"),
    ],
)
def test_credential_is_the_field_or_else_what_a_secret_means(
    changes: dict[str, Any], mode: CredentialMode
) -> None:
    read = read_pipeline(
        pipeline("dev", "prod", promotion={"strategy": {"pull-request": ask(**changes)}})
    )

    strategy = read.environments[1].strategy
    assert strategy is not None
    assert strategy.mode is mode


@pytest.mark.parametrize(
    ("kind", "title"),
    [
        ("gitlab", "GitLab"),
        ("gitea", "Gitea"),
        ("forgejo", "Forgejo"),
        ("bitbucket", "Bitbucket Cloud"),
        ("bitbucket-server", "Bitbucket Data Center"),
        ("azure-devops", "Azure DevOps"),
    ],
)
def test_application_is_refused_where_the_forge_has_no_tokens_of_one(kind: str, title: str) -> None:
    """It was told as a failure of the first promotion, with advice about its revision."""
    url = f"https://forge.example/shop/{'_git/' if kind == 'azure-devops' else ''}gitops"
    promotion = {"strategy": {"pull-request": ask(type=kind, url=url, credential="app")}}

    read = read_pipeline(pipeline("dev", "prod", promotion=promotion))

    assert codes(read) == ["no_strategy"]
    assert f"{title} has no tokens of applications" in read.environments[1].no_strategy


@pytest.mark.parametrize(
    "kind",
    [
        "github", "gitlab", "bitbucket-server", "azure-devops", "bitbucket-cloud", "gitea",
        "forgejo",
    ],
)  # fmt: skip
def test_every_type_of_forge_is_read(kind: str) -> None:
    url = f"https://forge.example/shop/{'_git/' if kind == 'azure-devops' else ''}gitops"
    promotion = {"strategy": {"pull-request": ask(type=kind, url=url)}}

    read = read_pipeline(pipeline("dev", "prod", promotion=promotion))

    strategy = read.environments[1].strategy
    assert strategy is not None
    assert strategy.destination.kind.name == kind.upper().replace("-", "_")


def test_bitbucket_without_more_is_the_one_in_the_cloud() -> None:
    promotion = {"strategy": {"pull-request": ask(type="bitbucket")}}

    read = read_pipeline(pipeline("dev", "prod", promotion=promotion))

    assert read.environments[1].strategy is not None
    assert read.environments[1].strategy.destination.kind is ForgeKind.BITBUCKET_CLOUD


@pytest.mark.parametrize(
    ("names", "code"),
    [
        pytest.param((), "no_environments", id="none"),
        pytest.param(("dev", ""), "empty_environment_name", id="empty name"),
        pytest.param(("dev", "dev"), "duplicate_environment", id="same name twice"),
    ],
)
def test_pipeline_with_bad_environments_is_an_error_that_says_so(
    names: tuple[str, ...], code: str
) -> None:
    read = read_pipeline(pipeline(*names))

    assert code in codes(read)
    assert not read.is_sound


@pytest.mark.parametrize("name", ["eu.west", "Prod EU", "prod/eu", "PROD", "prod-ü-日本", "a%b~c"])
def test_environment_may_have_any_other_name(name: str) -> None:
    read = read_pipeline(pipeline("dev", name))

    assert read.is_sound
    assert read.environments[1].name == name


def test_unknown_field_is_a_warning_with_its_path() -> None:
    manifest = pipeline("dev", "prod")
    manifest["spec"]["environments"][1]["targts"] = []

    read = read_pipeline(manifest)

    assert read.is_sound
    warning = next(f for f in read.findings if f.code == "unknown_field")
    assert warning.level is FindingLevel.WARNING
    assert "spec.environments[1].targts" in warning.message


def test_every_field_of_the_crd_is_known() -> None:
    crd = yaml.safe_load((skip_without("crds") / "pipelines.yaml").read_text())
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]

    assert unknown_fields({"spec": _example(schema)}) == ()


def _example(schema: dict[str, Any]) -> Any:
    if schema.get("type") == "object":
        return {k: _example(v) for k, v in schema.get("properties", {}).items()}
    if schema.get("type") == "array":
        return [_example(schema["items"])]
    return "text"


def test_environment_overrides_the_promotion_of_its_pipeline() -> None:
    manifest = pipeline("dev", "prod")
    own = {"manual": True, "strategy": {"pull-request": ask(baseBranch="release")}}
    manifest["spec"]["environments"][1]["promotion"] = own

    strategy = read_pipeline(manifest).environments[1].strategy

    assert strategy is not None
    assert strategy.manual
    assert strategy.destination.base_branch == "release"


@pytest.mark.parametrize(
    ("promotion", "says"),
    [
        ({"strategy": {"notification": {}}}, "only notifies"),
        ({"manual": True}, "no promotion strategy"),
        ({"strategy": {"pull-request": ask(type="sourcehut")}}, "'sourcehut' is not one of"),
        ({"strategy": {"pull-request": ask(baseBranch="")}}, "baseBranch is missing"),
        ({"strategy": {"pull-request": ask(url="git@host:x/y")}}, "is not like https://"),
        ({"strategy": {"pull-request": ask(credential="stored")}}, "secretRef is missing"),
        ({"strategy": {"pull-request": ask(credential="magic")}}, "'magic' is not one of"),
        ({"strategy": {"pull-request": ask(credential=5)}}, "credential is not a text"),
        ({"strategy": {"pull-request": ask(path=["prod"])}}, "path is not a text"),
        ({"approvals": 0, "strategy": {"pull-request": ask()}}, "from 1 to 20"),
        ({"approvals": "2", "strategy": {"pull-request": ask()}}, "from 1 to 20"),
        ({"approvals": 2**40, "strategy": {"pull-request": ask()}}, "from 1 to 20"),
        ({"soloMode": [1], "strategy": {"pull-request": ask()}}, "neither true nor false"),
        ({"reasonRequired": 1, "strategy": {"pull-request": ask()}}, "neither true nor false"),
        ({"soloMode": "yes", "strategy": {"pull-request": ask()}}, "neither true nor false"),
        ({"autoMerge": "yes", "strategy": {"pull-request": ask()}}, "neither true nor false"),
        (
            {"autoMerge": True, "strategy": {"pull-request": ask(type="bitbucket-cloud")}},
            "Bitbucket Cloud merges nothing by itself",
        ),
    ],
)
def test_strategy_that_cannot_be_used_is_a_warning_that_says_why(
    promotion: dict[str, Any], says: str
) -> None:
    read = read_pipeline(pipeline("dev", "prod", promotion=promotion))

    assert read.is_sound
    assert read.environments[1].strategy is None
    assert says in read.environments[1].no_strategy
    assert "no_strategy" in codes(read)


def test_several_approvals_are_an_approval_asked_for() -> None:
    promotion = {"approvals": 2, "strategy": {"pull-request": ask(secretRef={"name": "bot"})}}

    strategy = read_pipeline(pipeline("dev", "prod", promotion=promotion)).environments[1].strategy

    assert strategy is not None
    assert (strategy.manual, strategy.approvals) == (True, 2)


def test_one_approval_asked_for_is_an_approval_asked_for() -> None:
    promotion = {"approvals": 1, "strategy": {"pull-request": ask(secretRef={"name": "bot"})}}

    strategy = read_pipeline(pipeline("dev", "prod", promotion=promotion)).environments[1].strategy

    assert strategy is not None
    assert strategy.manual


def test_environment_may_want_to_be_told_why() -> None:
    promotion = {"reasonRequired": True, "strategy": {"pull-request": ask()}}

    read = read_pipeline(pipeline("dev", "prod", promotion=promotion))

    assert read.findings == ()
    assert read.environments[1].strategy is not None
    assert read.environments[1].strategy.reason_required is True


@pytest.mark.parametrize(("written", "solo"), [(True, True), (False, False), (None, False)])
def test_promoting_alone_is_allowed_only_where_it_is_written(
    *, written: bool | None, solo: bool
) -> None:
    promotion = {"soloMode": written, "strategy": {"pull-request": ask()}}

    read = read_pipeline(pipeline("dev", "prod", promotion=promotion))

    assert read.findings == ()
    assert read.environments[1].strategy is not None
    assert read.environments[1].strategy.solo is solo


@pytest.mark.parametrize(
    ("written", "word"),
    [
        (True, AutoMerge.WANTED),
        (False, AutoMerge.UNWANTED),
        (None, AutoMerge.UNSPECIFIED),
    ],
)
def test_pipeline_says_whether_its_forge_merges_or_leaves_it_to_the_list(
    *, written: bool | None, word: AutoMerge
) -> None:
    promotion = {"autoMerge": written, "strategy": {"pull-request": ask()}}

    read = read_pipeline(pipeline("dev", "prod", promotion=promotion))

    assert read.findings == ()
    assert read.environments[1].strategy is not None
    assert read.environments[1].strategy.auto_merge is word


def test_object_without_uid_has_one_that_stays_and_a_generation_that_follows_the_spec() -> None:
    first, again = read_pipeline(pipeline("dev")), read_pipeline(pipeline("dev"))
    changed = read_pipeline(pipeline("dev", "prod"))

    assert first.ref == again.ref
    assert changed.ref.uid == first.ref.uid
    assert changed.ref.generation != first.ref.generation


def test_manifest_is_shown_without_status_and_managed_fields() -> None:
    manifest = pipeline("dev")
    manifest["status"] = {"observedGeneration": 3}
    manifest["metadata"]["managedFields"] = [{"manager": "kubectl"}]

    shown = read_pipeline(manifest).manifest

    assert yaml.safe_load(shown)["spec"]["environments"][0]["name"] == "dev"
    assert "status" not in shown
    assert "managedFields" not in shown


@pytest.mark.parametrize("spec", [None, 3, "x", [], {"environments": 7}, {"environments": [None]}])
def test_junk_in_spec_is_an_error_and_no_crash(spec: object) -> None:
    read = read_pipeline({**pipeline("dev"), "spec": spec})

    assert not read.is_sound


def test_environment_whose_name_fits_no_subject_is_not_promoted_into_and_told() -> None:
    read = read_pipeline(pipeline("dev", "é" * 200))

    assert read.is_sound
    assert read.environments[1].strategy is None
    assert "at most 253 bytes" in read.environments[1].no_strategy
    assert codes(read) == ["no_strategy"]


def test_status_is_kept_only_of_what_an_api_server_stores() -> None:
    manifest = pipeline("dev")
    manifest["metadata"]["resourceVersion"] = "7"
    manifest["status"] = {"observedGeneration": 3, "conditions": []}

    read = read_pipeline(manifest)
    stored = as_stored(read, manifest)

    assert (read.status, read.resource_version) == (b"{}", "")
    assert (yaml.safe_load(stored.status), stored.resource_version) == (manifest["status"], "7")


def test_status_in_a_file_may_stand_for_millions_of_entries() -> None:
    manifest = pipeline("dev")
    layer: list[Any] = ["x"]
    for _ in range(40):
        layer = [layer] * 10
    manifest["status"] = {1: layer, "b": layer}

    assert read_pipeline(manifest).is_sound


def test_field_that_is_nested_without_end_hides_the_manifest_and_nothing_else() -> None:
    deep: Any = 1
    for _ in range(900):
        deep = {"a": deep}
    manifest = pipeline("dev", "prod", promotion={"soloMode": deep})

    read = read_pipeline(manifest)

    assert read.manifest.startswith("# not shown")
    assert [e.name for e in read.environments] == ["dev", "prod"]


def test_number_in_a_file_may_be_too_long_to_be_written() -> None:
    read = read_pipeline(pipeline("dev", odd=16**5000))

    assert read.is_sound
    assert read.manifest.startswith("# not shown")


def test_environments_that_nobody_looks_at_are_told() -> None:
    read = read_pipeline(pipeline(*(f"e{n}" for n in range(101))))

    assert len(read.environments) == 100
    assert "too_many_environments" in codes(read)
    assert read.is_sound


@pytest.mark.parametrize("counts", [(201,), (200,) * 6], ids=["in one", "in all"])
def test_nothing_is_promoted_where_targets_are_not_looked_at(counts: tuple[int, ...]) -> None:
    manifest = pipeline(*(f"e{n}" for n in range(len(counts))))
    for environment, count in zip(manifest["spec"]["environments"], counts, strict=True):
        environment["targets"] = [{"namespace": f"n{n}"} for n in range(count)]

    read = read_pipeline(manifest)

    assert codes(read)[0] == "too_many_targets"
    assert "no_targets" not in codes(read)
    assert not read.is_sound
    assert sum(len(e.targets) for e in read.environments) <= 1000


@pytest.mark.parametrize("field", ["apiVersion", "kind", "name"])
def test_application_with_an_endless_name_is_told_and_not_repeated(field: str) -> None:
    manifest = pipeline("dev")
    manifest["spec"]["appRef"][field] = "x" * 500_000

    read = read_pipeline(manifest)

    assert codes(read)[0] == "no_application"
    assert len(read.app.api_version + read.app.kind + read.app.name) < 1000
    assert len(read.findings[0].message) < 1000


@pytest.mark.parametrize(
    ("api_version", "kind"),
    [("v1", "Secret"), ("v1", "ConfigMap"), ("pipelines.weave.works/v1alpha1", "Pipeline")],
)
def test_application_of_a_kind_that_is_none_is_told(api_version: str, kind: str) -> None:
    manifest = pipeline("dev")
    manifest["spec"]["appRef"] |= {"apiVersion": api_version, "kind": kind}

    read = read_pipeline(manifest)

    assert codes(read) == ["no_application"]
    assert kind in read.findings[0].message


def test_nothing_is_promoted_for_a_pipeline_that_waits_for_its_finalizers() -> None:
    manifest = pipeline("dev", "prod")
    manifest["metadata"]["deletionTimestamp"] = "2026-11-23T09:00:00Z"

    read = read_pipeline(manifest)

    assert codes(read) == ["being_deleted"]
    assert not read.is_sound
