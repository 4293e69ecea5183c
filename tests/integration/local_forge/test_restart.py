"""State outlives the process, tokens do not lie in it, and the command behaves."""

import asyncio
import signal
import sys
from pathlib import Path

import httpx2
from checked_forge import FILES, REPO
from doubles.local_forge import free_socket, running_forge

from countersign.local.forge.state.seeding import read_seed

WAIT_S = 20
TOKEN = "ghp_madeupfortherestarttest"
SEED = f"""
people: [{{login: ada, name: Ada}}, {{login: bob}}]
repositories:
  - {{owner: acme, name: config, from: files, writers: [ada], protected: [main]}}
apps:
  - kind: github-app
    name: Countersign
    client_id: Iv1.made-up
    client_secret: made-up-secret
    callbacks: ["http://127.0.0.1:8080/oauth/callback/forge"]
    installations: [acme/config]
tokens:
  - {{token: {TOKEN}, owner: ada, scopes: [repo], expires_at: 2099-01-01T00:00:00Z}}
"""


def _seed(directory: Path) -> Path:
    (directory / "files" / "apps").mkdir(parents=True)
    (directory / "files" / "apps" / "a.yaml").write_bytes(b"a: 1\r\n")
    path = directory / "seed.yaml"
    path.write_text(SEED)
    return path


async def test_a_restart_goes_on_from_what_was(tmp_path: Path) -> None:
    async with running_forge(tmp_path / "forge") as forge:
        forge.person("ada")
        forge.repository(REPO, FILES, writers=["ada"])
        token = forge.token("ada", scopes=["repo"])
        forge.commit(REPO, {"x": "1"}, branch="change")
        opened = forge.open(REPO, head="change", by="ada")
        revoked = forge.token("ada", scopes=["repo"])
        forge.revoke(revoked)

    async with running_forge(tmp_path / "forge") as forge:
        assert forge.pull(REPO, 1) == opened
        assert forge.token_lives(token)
        assert not forge.token_lives(revoked)
        assert forge.merge(REPO, 1, by="ada").merged_by == "ada"


async def test_a_seed_applied_again_changes_nothing_it_need_not(tmp_path: Path) -> None:
    seed = read_seed(_seed(tmp_path))
    async with running_forge(tmp_path / "forge", seed=seed) as forge:
        forge.commit(REPO, {"apps/a.yaml": "a: 2\n"})
        repository, app = forge.store.repository("acme", "config"), forge.store.apps
        before = (repository, next(iter(app)), len(forge.store.installations))

    async with running_forge(tmp_path / "forge", seed=seed) as forge:
        after = (
            forge.store.repository("acme", "config"),
            next(iter(forge.store.apps)),
            len(forge.store.installations),
        )
        assert after == before
        assert forge.read(REPO, "apps/a.yaml") == b"a: 2\n"
        assert len(forge.store.tokens) == 1


async def test_tokens_lie_in_no_file(tmp_path: Path) -> None:
    seed = read_seed(_seed(tmp_path))
    async with running_forge(tmp_path / "forge", seed=seed) as forge:
        app = next(iter(forge.store.apps))
        texts = [TOKEN, forge.user_token(app, "ada").text.reveal(), "made-up-secret"]
        location = await forge.authorize(
            f"{forge.origin}/login/oauth/authorize?client_id={app.client_id}", "ada"
        )
        texts.append(location.partition("code=")[2])
        planted = tmp_path / "forge" / "control"
        planted.write_text(TOKEN)

        found = {
            path.name
            for path in (tmp_path / "forge").rglob("*")
            if path.is_file() and any(text.encode() in path.read_bytes() for text in texts)
        }

    assert found == {"control"}


async def _start(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "countersign.local.forge",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def test_the_command_serves_its_seed_and_ends_when_told(tmp_path: Path) -> None:
    process = await _start("--dir", str(tmp_path / "forge"), "--seed", str(_seed(tmp_path)))
    assert process.stdout is not None
    async with asyncio.timeout(WAIT_S):
        line = (await process.stdout.readline()).decode()
        origin = line.split()[-1]
        async with httpx2.AsyncClient(trust_env=False) as http:
            headers = {"authorization": f"Bearer {TOKEN}"}
            answer = await http.get(f"{origin}/api/v3/repos/{REPO}", headers=headers)
        process.send_signal(signal.SIGTERM)
        _, errors = await process.communicate()

    assert "for demonstrations and tests" in line
    assert answer.json()["permissions"]["push"] is True
    assert (process.returncode, errors) == (0, b"")


async def test_the_command_names_a_taken_port(tmp_path: Path) -> None:
    with free_socket() as taken:
        taken.listen()
        port = str(taken.getsockname()[1])
        process = await _start("--dir", str(tmp_path / "forge"), "--port", port)
        async with asyncio.timeout(WAIT_S):
            _, errors = await process.communicate()

    assert process.returncode == 3
    assert f"cannot listen on 127.0.0.1:{port}" in errors.decode()
    assert "another --port" in errors.decode()


async def test_the_command_says_what_is_wrong_with_its_seed(tmp_path: Path) -> None:
    seed = tmp_path / "seed.yaml"
    seed.write_text("people: [{name: no login}]\n")
    process = await _start("--dir", str(tmp_path / "forge"), "--seed", str(seed))
    async with asyncio.timeout(WAIT_S):
        _, errors = await process.communicate()

    assert process.returncode == 2
    assert "people.0.login" in errors.decode()


async def test_the_command_helps_and_warns(tmp_path: Path) -> None:
    process = await _start("--help")
    async with asyncio.timeout(WAIT_S):
        out, _ = await process.communicate()

    assert process.returncode == 0
    assert "FOR DEMONSTRATIONS AND TESTS ONLY" in " ".join(out.decode().split())
