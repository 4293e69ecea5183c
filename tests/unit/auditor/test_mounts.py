"""Secrets as files."""

import os
from pathlib import Path

import pytest

from countersign.auditor.checks.marking import Marking
from countersign.auditor.model import CredentialKey
from countersign.auditor.secrets.mounts import MountedSecrets
from countersign.process.secret_files import SECRET_BYTES_MAX

KEY = CredentialKey("apps", "promotion")
NANOSECONDS = 1_000_000_000


def written(directory: Path, text: str, *, name: str = "token", at_s: int = 1000) -> Path:
    path = directory / KEY.namespace / KEY.name / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, ns=(at_s * NANOSECONDS, at_s * NANOSECONDS))
    return path


@pytest.fixture
def mounted(tmp_path: Path) -> MountedSecrets:
    return MountedSecrets(tmp_path, mark=Marking(b"made up"))


async def test_token_is_read_without_its_line_end(mounted: MountedSecrets, tmp_path: Path) -> None:
    written(tmp_path, "ghp_madeup0123456789\n")

    reading = await mounted.read(KEY)

    assert reading.token is not None
    assert reading.token.reveal() == "ghp_madeup0123456789"
    assert "madeup" not in repr(reading)


async def test_key_token_is_preferred_to_password(mounted: MountedSecrets, tmp_path: Path) -> None:
    written(tmp_path, "for git", name="password")
    written(tmp_path, "for the API")

    reading = await mounted.read(KEY)

    assert reading.token is not None
    assert reading.token.reveal() == "for the API"


async def test_mark_changes_with_the_token_and_with_the_process(tmp_path: Path) -> None:
    mounted = MountedSecrets(tmp_path, mark=Marking(b"one"))
    written(tmp_path, "first")
    first = (await mounted.read(KEY)).mark
    again = (await mounted.read(KEY)).mark
    elsewhere = (await MountedSecrets(tmp_path, mark=Marking(b"two")).read(KEY)).mark
    written(tmp_path, "second")

    assert first == again
    assert first != elsewhere
    assert first != (await mounted.read(KEY)).mark


async def test_change_of_a_file_is_noticed_until_it_is_read(
    mounted: MountedSecrets, tmp_path: Path
) -> None:
    written(tmp_path, "first", at_s=1000)
    await mounted.read(KEY)
    before = await mounted.changed([KEY])
    written(tmp_path, "second", at_s=2000)
    after = await mounted.changed([KEY])
    await mounted.read(KEY)

    assert before == frozenset()
    assert after == {KEY}
    assert await mounted.changed([KEY]) == frozenset()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("  \n", "empty"),
        ("x" * (SECRET_BYTES_MAX + 1), "larger"),
        ("ümlaut", "plain"),
    ],
)
async def test_file_that_cannot_hold_a_token_is_missing(
    mounted: MountedSecrets, tmp_path: Path, text: str, why: str
) -> None:
    written(tmp_path, text)

    reading = await mounted.read(KEY)

    assert reading.token is None
    assert why in reading.detail


async def test_absent_secret_and_absent_key_are_told_apart(
    mounted: MountedSecrets, tmp_path: Path
) -> None:
    absent = (await mounted.read(KEY)).detail
    written(tmp_path, "x", name="username")

    assert absent == "it is not there"
    assert "key 'token'" in (await mounted.read(KEY)).detail


@pytest.mark.parametrize("name", ["..", "../../etc", "a/b", "a..b", "", "UPPER"])
async def test_name_cannot_lead_out_of_the_directory(mounted: MountedSecrets, name: str) -> None:
    key = CredentialKey("apps", name)

    assert (await mounted.read(key)).token is None
    assert not await mounted.changed([key])
