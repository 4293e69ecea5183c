"""What the demonstration begins with."""

from pathlib import Path

import pytest
import yaml

from countersign.contracts.errors import Rejected
from countersign.contracts.forge_list import ForgeList
from countersign.local.demo.layout import Layout, choose_ports, displaced, keep_ports
from countersign.local.demo.manifests import ENVIRONMENTS, Gitops
from countersign.local.demo.seeding import seed
from countersign.local.demo.walk.releasing import next_patch

GITOPS = Gitops(
    forge_url="http://localhost:3000",
    website_url="http://localhost:3000/shop/website.git",
    website_commit="4f2c1e9a" * 5,
)


def everything_free(port: int) -> bool:
    return True


def test_every_manifest_is_yaml() -> None:
    for name, text in GITOPS.files().items():
        if name.endswith(".yaml"):
            assert all(document["kind"] for document in yaml.safe_load_all(text)), name


def test_every_environment_but_the_first_has_its_marker() -> None:
    text = "".join(GITOPS.files().values())

    for name in ("checkout", "catalog", "search"):
        for environment in ENVIRONMENTS[1:]:
            assert f'"$promotion": "shop:{name}:{environment}"' in text
    assert text.count(":commit") == len(ENVIRONMENTS) - 1


def test_production_of_catalog_waits_for_a_person() -> None:
    pipeline = yaml.safe_load(GITOPS.files()["pipelines/catalog.yaml"])

    last = pipeline["spec"]["environments"][-1]
    assert (last["name"], last["promotion"]["manual"]) == ("prod", True)


def test_second_start_keeps_secrets_and_repositories(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    seed(layout, choose_ports(layout, gateway=None, free=everything_free))
    kept = layout.client_secret_file.read_text()
    files = sorted((layout.seed / "gitops").rglob("*"))

    seed(layout, choose_ports(layout, gateway=None, free=everything_free))

    assert layout.client_secret_file.read_text() == kept
    assert sorted((layout.seed / "gitops").rglob("*")) == files


def test_forge_list_is_one_that_services_take(tmp_path: Path) -> None:
    layout = Layout(tmp_path)

    seed(layout, choose_ports(layout, gateway=None, free=everything_free))

    listed = ForgeList.model_validate(yaml.safe_load(layout.forges_file.read_text()))
    assert listed.forges[0].allows(namespace="shop", owner="shop", repository="gitops")


def test_secrets_are_closed_to_others(tmp_path: Path) -> None:
    layout = Layout(tmp_path)

    seed(layout, choose_ports(layout, gateway=None, free=everything_free))

    for path in (layout.client_secret_file, layout.webhook_secret_file, layout.seed_file):
        assert path.stat().st_mode & 0o077 == 0


def test_port_of_the_board_is_another_when_it_is_taken(tmp_path: Path) -> None:
    ports = choose_ports(Layout(tmp_path), gateway=None, free=lambda port: port != 8080)

    assert ports.gateway != 8080


def test_port_that_people_expect_the_board_on_is_named_where_it_is_taken(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    usual = choose_ports(layout, gateway=None, free=everything_free)
    other = choose_ports(layout, gateway=None, free=lambda port: port != 8080)

    assert (displaced(layout, usual), displaced(layout, other)) == (0, 8080)

    keep_ports(layout, other)

    assert (displaced(layout, usual), displaced(layout, other)) == (other.gateway, 0)


def test_port_that_was_asked_for_and_is_taken_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="9999 is taken"):
        choose_ports(Layout(tmp_path), gateway=9999, free=lambda port: port != 9999)


def test_forge_keeps_its_port_or_the_start_fails_clearly(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    first = choose_ports(layout, gateway=None, free=everything_free)
    keep_ports(layout, first)

    again = choose_ports(layout, gateway=None, free=lambda port: port != first.webhooks)
    assert (again.forge, again.gateway) == (first.forge, first.gateway)
    with pytest.raises(Rejected, match=str(first.forge)):
        choose_ports(layout, gateway=None, free=lambda port: port != first.forge)


def test_next_patch_changes_the_version_alone() -> None:
    text = GITOPS.files()["apps/checkout/dev/release.yaml"]

    changed, version = next_patch(text)

    assert version == "6.9.1"
    assert changed == text.replace("6.9.0", "6.9.1")
