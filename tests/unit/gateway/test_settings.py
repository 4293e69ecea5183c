"""What is refused before anybody can come: sign-in and addresses that do not go together."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from countersign.contracts.errors import Rejected
from countersign.gateway.bootstrap import Configuration
from countersign.gateway.oidc.settings import OidcSettings
from countersign.gateway.settings import GatewaySettings
from countersign.kube.access.http_api import KubeSettings
from countersign.messaging.settings import BusSettings


def configuration(gateway: GatewaySettings, kube: KubeSettings, seed: Path) -> Configuration:
    seed.write_text("made up")
    bus = BusSettings(nats_url="nats://127.0.0.1:1", nkey_file=seed)
    return Configuration(gateway=gateway, bus=bus, kube=kube)


@pytest.mark.parametrize(
    "given",
    [
        {"sign_in": "local", "host": "0.0.0.0"},
        {"sign_in": "local", "public_url": "https://countersign.example"},
        {"sign_in": "oidc"},
        {"sign_in": "oidc", "public_url": "http://countersign.example"},
        {"sign_in": "oidc", "public_url": "http://127.0.0.1:8080", "host": "0.0.0.0"},
        {"sign_in": "oidc", "public_url": "https://countersign.example/path"},
        {"sign_in": "github"},
    ],
    ids=str,
)
def test_sign_in_at_an_address_that_is_not_safe_for_it_is_refused(given: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        GatewaySettings.model_validate(given)


def test_gateway_for_others_needs_a_cluster_that_says_who_may_promote(tmp_path: Path) -> None:
    account = tmp_path / "account"
    account.mkdir()
    for name in ("token", "ca.crt"):
        (account / name).write_text("made up")
    url = "https://countersign.example"
    others = GatewaySettings(sign_in="oidc", host="0.0.0.0", public_url=url)
    alone = GatewaySettings(sign_in="oidc", public_url="http://127.0.0.1:8080")
    cluster = KubeSettings(url="https://10.0.0.1:6443", account_dir=account)
    seed = tmp_path / "seed"

    with pytest.raises(Rejected, match="COUNTERSIGN_KUBE_URL"):
        configuration(others, KubeSettings(), seed).check()
    configuration(others, cluster, seed).check()
    configuration(alone, KubeSettings(), seed).check()


@pytest.mark.parametrize(
    "given",
    [
        {"issuer_url": "http://login.example.org"},
        {"issuer_url": "https://user@login.example.org"},
        {"issuer_url": "login.example.org"},
        {"client_id": ""},
        {"scopes": "profile email"},
        {"client_secret_file": "/nowhere/at/all"},
    ],
    ids=str,
)
def test_provider_that_cannot_be_believed_is_refused(given: dict[str, str]) -> None:
    right = {"issuer_url": "https://login.example.org", "client_id": "countersign"}

    assert OidcSettings.model_validate(right).user_prefix == ""
    with pytest.raises(ValidationError):
        OidcSettings.model_validate(right | given)
