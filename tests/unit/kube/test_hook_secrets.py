"""Where the keys of promotion hints are."""

from typing import Any

from countersign.kube.pipelines.pipeline import read_pipeline


def manifest(*, own: str = "", **environments: Any) -> dict[str, Any]:
    return {
        "apiVersion": "pipelines.weave.works/v1alpha1",
        "kind": "Pipeline",
        "metadata": {"name": "checkout", "namespace": "shop"},
        "spec": {
            "promotion": {"strategy": {"secretRef": {"name": own}}} if own else {},
            "environments": [
                {"name": name, "promotion": promotion} for name, promotion in environments.items()
            ],
        },
    }


def secrets(made: dict[str, Any]) -> list[tuple[str, str, str]]:
    found = read_pipeline(made).hook_secrets
    return [(s.environment, s.secret.namespace, s.secret.name) for s in found]


def test_pipelines_own_secret_comes_before_those_of_environments() -> None:
    prod = {"strategy": {"secretRef": {"name": "prod-key"}}}

    found = secrets(manifest(own="key", dev={}, prod=prod))

    assert found == [("", "shop", "key"), ("prod", "shop", "prod-key")]


def test_secret_of_an_environment_alone_is_found() -> None:
    assert secrets(manifest(prod={"strategy": {"secretRef": {"name": "k"}}})) == [
        ("prod", "shop", "k")
    ]


def test_pipeline_that_names_no_secret_has_none() -> None:
    assert secrets(manifest(prod={"strategy": {"notification": {}}})) == []


def test_fields_of_other_types_name_no_secret() -> None:
    assert secrets(manifest(a={"strategy": []}, b=3, c={"strategy": {"secretRef": "k"}})) == []


def test_environment_without_a_name_does_not_stand_for_the_pipeline() -> None:
    nameless = {"": {"strategy": {"secretRef": {"name": "k"}}}}

    assert secrets(manifest(own="key", **nameless)) == [("", "shop", "key")]
