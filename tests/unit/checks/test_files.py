"""Files that settings name are told as missing, each with the Secret that should hold it."""

from pathlib import Path

import pytest

from countersign.checks.files import check_secret, check_webhook_secrets
from countersign.checks.model import Fault, Subject
from countersign.checks.words import advice
from countersign.contracts.forge_list import Forge, RepositoryWebhook
from countersign.process.faults.mounts import Mount


@pytest.fixture
def forge(tmp_path: Path) -> Forge:
    return Forge(
        name="Gitea",
        kind="gitea",
        origin="https://git.example",
        webhook_secret_file=str(tmp_path / "webhooks/gitea"),
        webhooks=(
            RepositoryWebhook(
                name="shop", secret_file=str(tmp_path / "webhooks/shop"), repositories=("shop/*",)
            ),
        ),
    )


def test_webhook_secrets_are_sought_and_not_read(tmp_path: Path, forge: Forge) -> None:
    (tmp_path / "webhooks").mkdir()
    (tmp_path / "webhooks/gitea").write_text("made-up-secret")

    one, other = check_webhook_secrets((forge,), root=tmp_path)

    assert (one.subject, one.fault) == (Subject.FILE, None)
    assert (other.subject, other.fault) == (Subject.FILE, Fault.SECRET_MISSING)
    assert "shop" in other.name
    assert "made-up-secret" not in repr(one)


@pytest.mark.parametrize("mount", Mount)
def test_missing_secret_is_told_by_its_name_and_key(tmp_path: Path, mount: Mount) -> None:
    found = check_secret("X", str(tmp_path / mount / "key-of-it"), mount, root=tmp_path)

    assert found.fault is Fault.SECRET_MISSING
    assert found.is_serious
    assert mount.secret in advice(found)
    assert "key-of-it" in advice(found)


def test_secret_in_no_mount_is_told_the_path_that_it_would_have(tmp_path: Path) -> None:
    (tmp_path / "clients").mkdir()

    found = check_secret("X", "/etc/countersign/gitea-secret", Mount.CLIENTS, root=tmp_path)

    assert f"{tmp_path}/clients/gitea-secret" in advice(found)
