"""Looking for leaks finds what was left, and fails where it is blind."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

from countersign.local.demo.walk.leaks import Places, look_for_leaks

CANARY = "cAnArY0123456789"
HIDDEN = "import ctypes, sys; ctypes.CDLL(None).prctl(4, 0); print(1, flush=True); sys.stdin.read()"


def places(directory: Path, *answers: bytes) -> Places:
    (directory / "logs").mkdir(exist_ok=True)
    return Places(directory=directory, pids=frozenset({os.getpid()}), answers=answers)


async def test_clean_machine_is_cleared_after_all_controls_were_found(tmp_path: Path) -> None:
    result = await look_for_leaks(CANARY, places(tmp_path, b"<html>nothing</html>"))

    assert result.finds == ()
    assert result.controls >= 3
    assert result.line.startswith("canary not found in ")
    assert list((tmp_path / "logs").iterdir()) == []


async def test_token_in_an_answer_or_a_file_is_told_by_its_place(tmp_path: Path) -> None:
    (tmp_path / "stream.blk").write_bytes(b"\x01" + f"ghu_{CANARY}".encode().hex().encode())

    result = await look_for_leaks(CANARY, places(tmp_path, b"ghu_" + CANARY.encode()))

    assert {(f.place, f.encoding) for f in result.finds} == {
        (str(tmp_path / "stream.blk"), "hexadecimal"),
        ("answer 0", "plain"),
    }
    assert CANARY not in result.line


async def test_token_in_the_arguments_of_a_closed_process_is_found(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", HIDDEN, CANARY, stdin=PIPE, stdout=PIPE
    )
    try:
        assert process.stdout is not None
        await process.stdout.readline()
        result = await look_for_leaks(CANARY, places(tmp_path))
    finally:
        process.kill()
        await process.wait()

    assert f"/proc/{process.pid}/cmdline" in {find.place for find in result.finds}
