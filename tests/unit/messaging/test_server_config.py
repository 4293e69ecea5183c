"""Keys and the configuration of the server."""

import stat
from pathlib import Path
from typing import Any

import pytest

from countersign.messaging.administration.server_config import (
    ServerOptions,
    make_keys,
    server_config,
)
from countersign.messaging.topology.permissions import USERS


def test_seeds_are_readable_by_their_owner_only(tmp_path: Any) -> None:
    directory = tmp_path / "keys"

    keys = make_keys(directory)

    assert set(keys) == set(USERS)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    for user in USERS:
        path = directory / f"{user}.nk"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert path.read_text().startswith("SU")
        assert keys[user].startswith("U")


def test_keys_that_are_there_are_kept(tmp_path: Any) -> None:
    assert make_keys(tmp_path) == make_keys(tmp_path)


def test_every_user_has_another_key(tmp_path: Any) -> None:
    assert len(set(make_keys(tmp_path).values())) == len(USERS)


@pytest.fixture
def text(tmp_path: Any) -> str:
    return server_config(make_keys(tmp_path), ServerOptions(store_dir=Path("/data")))


def test_configuration_holds_no_seed(text: Any, tmp_path: Any) -> None:
    for path in tmp_path.glob("*.nk"):
        assert path.read_text().strip() not in text


def test_configuration_has_what_the_design_asks_for(text: Any) -> None:
    assert "sync_interval: always" in text
    assert "trace: false" in text
    for absent in ("no_auth_user", "allow_responses", "http", "monitor", "leafnodes", "cluster"):
        assert absent not in text


def test_client_has_time_to_prove_itself_on_a_busy_machine(tmp_path: Path) -> None:
    """The server's own limits are 2 s, of which a Java program that starts may need more."""
    options = ServerOptions(
        store_dir=Path("/data"), certificate=Path("/tls.crt"), certificate_key=Path("/tls.key")
    )

    text = server_config(make_keys(tmp_path), options)

    assert text.count("timeout: 10") == 2


def test_user_without_rights_is_denied_everything(text: Any) -> None:
    """A list of nothing allowed would allow everything."""
    assert "allow: []" not in text
    assert 'subscribe: { deny: [">"] }' in text


def test_encryption_in_transit_is_the_newest(tmp_path: Any) -> None:
    options = ServerOptions(
        store_dir=Path("/data"), certificate=Path("/tls.crt"), certificate_key=Path("/tls.key")
    )

    text = server_config(make_keys(tmp_path), options)

    assert 'min_version: "1.3"' in text
    assert 'cert_file: "/tls.crt"' in text
