"""A GitHub App opens the pull request itself, from dev to prod, in real processes."""

import json
import os
import sqlite3
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from e2e.furnishing import Application
from e2e.people import person
from e2e.systems import canary, git, pulls, system
from jwt_of_an_app import key_pair

from countersign.local.demo.layout import CLIENT_ID, Layout, Ports
from countersign.local.demo.manifests import NAMESPACE, NEW, OLD
from countersign.local.demo.running import Running
from countersign.local.demo.seeding import seed
from countersign.local.demo.walk.leaks import Places, look_for_leaks

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

APP: Final = Application(name="payments")
BOT: Final = "countersign[bot]"
KEY_FILE: Final = "github-app.pem"

Json = dict[str, Any]


def furnish(layout: Layout, ports: Ports) -> None:
    """Beside the demonstration: an application whose pull requests the App opens, once approved."""
    manifest = APP.pipeline(ports.forge_url)
    manifest["spec"]["promotion"]["manual"] = True
    manifest["spec"]["promotion"]["strategy"]["pull-request"]["credential"] = "app"
    folder = layout.seed / "gitops"
    files = {
        APP.dev_path: APP.release("dev", NEW),
        APP.path: APP.release("prod", OLD, marker=APP.marker),
        APP.pipeline_path: yaml.safe_dump(manifest, sort_keys=False),
    }
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    seed(layout, ports)
    private, public = key_pair()
    key_file = layout.root / KEY_FILE
    key_file.touch(mode=0o600)
    key_file.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    forges = yaml.safe_load(layout.forges_file.read_text())
    forges["forges"][0] |= {"appId": CLIENT_ID, "appKeyFile": str(key_file)}
    layout.forges_file.write_text(yaml.safe_dump(forges))
    forge = yaml.safe_load(layout.seed_file.read_text())
    # More than a promotion needs, so that what is minted shows what was asked for.
    rights = {"contents": "write", "pull_requests": "write", "statuses": "write"}
    forge["apps"][0] |= {"public_key": public, "permissions": rights}
    forge["apps"][0]["installations"].append(f"{NAMESPACE}/website")
    layout.seed_file.write_text(yaml.safe_dump(forge))


async def test_app_opens_for_its_approver_with_a_token_for_one_repository(tmp_path: Path) -> None:
    async with system(tmp_path, furnish=furnish) as started:
        async with person("grace", started.ports) as grace:
            await grace.until(APP.name, "waiting")
            page = await grace.browser.open(
                f"{started.ports.gateway_url}/p/{NAMESPACE}/{APP.name}/prod/promote"
            )
            assert "Let the application at Local forge open it" in page.text
            await grace.browser.submit(page, "/approve")
            opened = await grace.until(APP.name, "open")
            pull = await grace.browser.open(opened["pullRequest"])
            completed = await grace.complete(APP.name, author=BOT)
            answers = tuple(grace.browser.seen)
        message = await _message_of_head(started)
        minted = _installation_tokens(started)
        places = Places(
            directory=started.layout.root, pids=frozenset({os.getpid()}), answers=answers
        )
        leaks = await look_for_leaks(await canary(started), places)

    assert opened["mode"] == "app"
    assert completed["revision"] == NEW
    assert "Approved by" in pull.text
    assert "Grace Hopper" in pull.text
    assert message.rstrip().endswith("Approved-by: Grace Hopper")
    assert minted
    for token in minted:
        assert token["owner"] == BOT
        assert token["repositories"] == [f"{NAMESPACE}/gitops"]
        assert token["permissions"] == {"contents": "write", "pull_requests": "write"}
        assert token["revoked"]
    assert leaks.controls >= 3
    assert leaks.finds == ()
    assert _found_outside(started, tmp_path) == []


def _installation_tokens(started: Running) -> list[Json]:
    """All that the forge ever minted for installations, as its own store has them."""
    store = started.layout.forge / "forge.sqlite3"
    with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as connection:
        rows = connection.execute("SELECT body FROM records WHERE kind = 'token'").fetchall()
    found = [json.loads(body) for (body,) in rows]
    return [token for token in found if token["kind"] == "installation"]


async def _message_of_head(started: Running) -> str:
    """The message of the commit that the pull request brought."""
    (found,) = [p for p in await pulls(started) if p.gate.endswith(f"/{APP.name}/prod")]
    return git(started, "show", "--no-patch", "--format=%B", found.head_commit).decode()


def _found_outside(started: Running, root: Path) -> list[str]:
    """Return the files in which a line of the App's key is, beside its own."""
    key = (started.layout.root / KEY_FILE).read_bytes().splitlines()[1]
    files = (path for path in root.rglob("*") if path.is_file())
    return [str(p) for p in files if p.name != KEY_FILE and key in p.read_bytes()]
