"""Lines and manifests that grant a right, as a shell and as YAML readers take them apart."""

import shlex

import pytest
import yaml

from countersign.kube.grant_files import manifest_text
from countersign.kube.grants import Grant, Grantee, Rule, manifests, shell_line


def grant(*, user: str = "ada", role: str = "promote-checkout", namespace: str = "shop") -> Grant:
    return Grant(
        role=role,
        rule=Rule(
            verbs=("promote",),
            resource="pipelines/prod",
            group="pipelines.weave.works",
            names=("checkout",),
        ),
        subjects=(Grantee(name=user),),
        namespace=namespace,
    )


def test_line_makes_the_role_and_binds_it() -> None:
    words = shlex.split(shell_line(grant()))

    assert words[: words.index("&&")] == [
        *("kubectl", "-n", "shop", "create", "role", "promote-checkout", "--verb=promote"),
        "--resource=pipelines.pipelines.weave.works/prod",
        "--resource-name=checkout",
    ]
    assert words[words.index("&&") + 1 :] == [
        *("kubectl", "-n", "shop", "create", "rolebinding", "promote-checkout"),
        *("--role=promote-checkout", "--user=ada"),
    ]


def test_line_without_a_namespace_grants_everywhere() -> None:
    words = shlex.split(shell_line(grant(namespace="")))

    assert "clusterrole" in words
    assert "clusterrolebinding" in words
    assert "-n" not in words


@pytest.mark.parametrize("name", ["o'ada", "$(id)", "a b", "`id`", "a; rm -rf /", "*"])
def test_shell_takes_a_name_for_one_word(name: str) -> None:
    assert f"--user={name}" in shlex.split(shell_line(grant(user=name)))


@pytest.mark.parametrize("name", ["1e3", "on", "y", "~", "0x1", "a: b", "x\u2028- kind: User", "é"])
def test_manifest_reads_back_as_what_was_meant(name: str) -> None:
    meant = grant(user=name)

    assert list(yaml.safe_load_all(manifest_text(meant))) == list(manifests(meant))


@pytest.mark.parametrize("name", ["1e3", "y", "0o7"])
def test_what_another_reader_takes_for_a_number_is_quoted(name: str) -> None:
    assert f'name: "{name}"' in manifest_text(grant(user=name))
