"""Clone and push with the real git."""

import asyncio
import subprocess
from pathlib import Path

import pytest
from checked_forge import FILES, REPO
from doubles.local_forge import RunningForge

from countersign.contracts.secret import Secret

GIT_TIMEOUT_S = 30


async def _git(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run git in a thread, because the forge answers in this one."""
    who = ("-c", "user.name=Ada", "-c", "user.email=ada@localhost", "-c", "credential.helper=")
    return await asyncio.to_thread(
        subprocess.run,
        ["git", *who, *arguments],
        cwd=cwd,
        env={"PATH": "/usr/bin:/bin", "HOME": str(cwd), "GIT_TERMINAL_PROMPT": "0"},
        capture_output=True,
        text=True,
        timeout=GIT_TIMEOUT_S,
        check=False,
    )


def _url(forge: RunningForge, token: Secret) -> str:
    return forge.origin.replace("://", f"://x-access-token:{token.reveal()}@") + f"/{REPO}.git"


@pytest.fixture
async def clone(forge: RunningForge, tmp_path: Path, writer: Secret) -> Path:
    done = await _git("clone", _url(forge, writer), "work", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    return tmp_path / "work"


async def _commit(clone: Path, content: str) -> str:
    (clone / "apps" / "prod.yaml").write_text(content)
    await _git("commit", "-qam", "Change", cwd=clone)
    return (await _git("rev-parse", "HEAD", cwd=clone)).stdout.strip()


async def test_a_clone_has_every_byte(clone: Path) -> None:
    assert (clone / "apps" / "crlf.yaml").read_bytes() == FILES["apps/crlf.yaml"]


async def test_a_push_makes_a_branch_and_moves_its_pull_request(
    forge: RunningForge, clone: Path
) -> None:
    first = await _commit(clone, "version: 7\n")
    pushed = await _git("push", "-q", "origin", "HEAD:refs/heads/change", cwd=clone)
    opened = forge.open(REPO, head="change", by="ada")
    second = await _commit(clone, "version: 8\n")
    await _git("push", "-q", "origin", "HEAD:refs/heads/change", cwd=clone)

    assert pushed.returncode == 0, pushed.stderr
    assert opened.head_sha == first
    assert forge.pull(REPO, opened.number).head_sha == second


async def test_a_push_of_a_thousand_files_is_seen_at_once(forge: RunningForge, clone: Path) -> None:
    for number in range(1_000):
        (clone / f"file-{number}.yaml").write_text(f"a: {number}\n")
    await _git("add", ".", cwd=clone)
    await _git("commit", "-qm", "Many", cwd=clone)

    pushed = await _git("push", "-q", "origin", "HEAD:refs/heads/many", cwd=clone)

    assert pushed.returncode == 0, pushed.stderr
    assert forge.read(REPO, "file-999.yaml", revision="many") == b"a: 999\n"


async def test_deleting_a_branch_closes_its_pull_request(forge: RunningForge, clone: Path) -> None:
    forge.commit(REPO, {"x": "1"}, branch="change")
    opened = forge.open(REPO, head="change", by="ada")

    await _git("push", "-q", "origin", ":refs/heads/change", cwd=clone)

    assert not forge.pull(REPO, opened.number).is_open


async def test_a_push_to_a_protected_branch_is_declined(forge: RunningForge, clone: Path) -> None:
    forge.repository(REPO, writers=["ada"], protected=["main"])
    before = forge.head(REPO)
    await _commit(clone, "version: 7\n")

    pushed = await _git("push", "origin", "HEAD:refs/heads/main", cwd=clone)

    assert pushed.returncode != 0
    assert "GH006: Protected branch update failed for refs/heads/main" in pushed.stderr
    assert forge.head(REPO) == before


@pytest.mark.parametrize("login", ["bob", "eve"], ids=["reader", "stranger"])
async def test_who_may_not_write_may_not_push(forge: RunningForge, clone: Path, login: str) -> None:
    token = forge.token(login, scopes=["repo"])

    pushed = await _git("push", _url(forge, token), "HEAD:refs/heads/x", cwd=clone)

    assert pushed.returncode != 0
    assert forge.head(REPO, "x") is None


async def test_a_private_repository_asks_for_a_token(forge: RunningForge, tmp_path: Path) -> None:
    done = await _git("clone", f"{forge.origin}/{REPO}.git", "work", cwd=tmp_path)

    assert done.returncode != 0
    assert "could not read Username" in done.stderr


async def test_a_public_repository_is_cloned_by_anybody(
    forge: RunningForge, tmp_path: Path
) -> None:
    forge.repository("acme/open", {"a": "b"}, private=False)

    done = await _git("clone", "--depth=1", f"{forge.origin}/acme/open.git", "work", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "work" / "a").read_text() == "b"


async def test_what_the_forge_wrote_is_sound(forge: RunningForge, tmp_path: Path) -> None:
    forge.commit(REPO, {"new/deep/file": "x", "apps/prod.yaml": None}, branch="change")
    forge.open(REPO, head="change", by="ada")
    forge.merge(REPO, 1, by="ada")

    checked = await _git("fsck", "--strict", "--full", cwd=forge.git_dir(REPO))

    assert checked.returncode == 0, checked.stderr
    assert "error" not in checked.stderr
