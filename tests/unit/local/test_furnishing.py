"""What the demonstration brings along fits what the overlay of a cluster names."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from reference import ROOT

from countersign.contracts.forge_list import ForgeList
from countersign.gateway.access.people import read_people
from countersign.local.demo.furnishing import FORGE_PORT, main, secrets_of
from countersign.local.demo.layout import FORGE_SLUG, Layout

DEV = ROOT / "k8s" / "overlays" / "dev"


@pytest.fixture(scope="module", name="layout")
def layout_fixture(tmp_path_factory: pytest.TempPathFactory) -> Layout:
    folder = tmp_path_factory.mktemp("furnished")
    assert main(["--dir", str(folder)]) == 0
    return Layout(folder)


def _settings() -> dict[str, Any]:
    documents = yaml.safe_load_all((DEV / "settings.yaml").read_text())
    return {d["metadata"]["name"]: d["data"] for d in documents}


def test_secrets_have_the_keys_that_the_forge_list_names(layout: Layout) -> None:
    text = _settings()["countersign-forges"]["forges.yaml"]
    (forge,) = ForgeList.model_validate(yaml.safe_load(text)).forges
    made = {m["metadata"]["name"]: set(m["data"]) for m in secrets_of(layout)}

    assert forge.slug == FORGE_SLUG
    assert forge.origin == f"http://localhost:{FORGE_PORT}"
    assert made["countersign-client-secrets"] == {Path(forge.client_secret_file).name}
    assert made["countersign-webhook-secrets"] == {Path(forge.webhook_secret_file).name}


def test_people_of_the_overlay_may_sign_in(tmp_path: Path, layout: Layout) -> None:
    file = tmp_path / "people.yaml"
    file.write_text(_settings()["countersign-forges"]["people.yaml"])

    assert {p.id for p in read_people(file)} == {p.id for p in read_people(layout.people_file)}


def test_second_time_keeps_keys_and_secrets(layout: Layout) -> None:
    def kept() -> dict[str, bytes]:
        files = [*layout.bus.rglob("*.nk"), *layout.secrets.rglob("*"), layout.bus / "nats.conf"]
        return {str(f): f.read_bytes() for f in files if f.is_file()}

    before = kept()
    main(["--dir", str(layout.root)])

    assert kept() == before
