"""A reader on a server whose accounts are JWTs: what nsc is told, by what the shell gives it."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from countersign.messaging.administration import nsc_commands, reader_files
from countersign.messaging.topology.permissions import TOPOLOGY, permissions
from countersign.messaging.topology.readers import publishes, shares, subscribes

# Writes down how it was called, and says whom it was asked for.
NSC = """\
#!/bin/sh
printf '%s\\0' "$@" >>"$CALLS"; printf '\\n' >>"$CALLS"
[ "$1" = describe ] && echo '"ATHEIRS"'
exit 0
"""


def told(script: str, folder: Path) -> list[list[str]]:
    program, calls = folder / "nsc", folder / "calls"
    program.write_text(NSC)
    program.chmod(0o700)
    subprocess.run(
        ("sh", "-eu"),
        input=script,
        text=True,
        check=True,
        cwd=folder,
        env={"PATH": f"{folder}:{os.environ['PATH']}", "CALLS": str(calls)},
    )
    return [line.split("\0")[:-1] for line in calls.read_text().splitlines()]


def option(call: Sequence[str], name: str) -> str:
    return call[call.index(name) + 1]


@pytest.mark.parametrize("namespaces", [(), ("shop", "pay.ments")])
def test_nsc_is_told_to_share_exactly_what_the_reader_may_use(
    tmp_path: Path, namespaces: tuple[str, ...]
) -> None:
    reader = reader_files.add(tmp_path / "readers", "chat", namespaces=namespaces)

    calls = told(nsc_commands.adding(reader, folder="readers"), tmp_path)

    exports = [call for call in calls if call[:2] == ["add", "export"]]
    activated = [call for call in calls if call[:2] == ["generate", "activation"]]
    imported = [call for call in calls if call[:2] == ["add", "import"]]
    assert all("--private" in call for call in exports)
    assert [option(call, "--subject") for call in activated] == [s.subject for s in shares(reader)]
    assert [option(call, "--local-subject") for call in imported] == [
        s.local for s in shares(reader)
    ]
    assert {option(call, "--target-account") for call in activated} == {"ATHEIRS"}
    assert {option(call, "--account") for call in imported} == {"READER_chat"}
    assert ["--service" in call for call in exports] == [
        s.kind == "service" for s in shares(reader)
    ]


def test_user_of_a_reader_has_its_rights_and_no_seed_is_an_argument(tmp_path: Path) -> None:
    reader = reader_files.add(tmp_path / "readers", "chat", namespaces=("shop",))

    calls = told(nsc_commands.adding(reader, folder="readers"), tmp_path)

    (user,) = (call for call in calls if call[:2] == ["add", "user"])
    assert option(user, "--public-key") == reader.public_key
    assert tuple(option(user, "--allow-pub").split(",")) == publishes(reader)
    assert tuple(option(user, "--allow-sub").split(",")) == subscribes(reader)
    (topology,) = (call for call in calls if call[:2] == ["edit", "user"])
    more = set(option(topology, "--allow-pub").split(","))
    whole = set(permissions(TOPOLOGY, readers=(reader,)).publish)
    assert more == whole - set(permissions(TOPOLOGY).publish)
    seed = reader_files.seed_of(tmp_path / "readers", "chat").read_text().strip()
    assert not any(seed in argument for call in calls for argument in call)


def test_revoked_reader_loses_its_account(tmp_path: Path) -> None:
    calls = told(nsc_commands.revoking("chat"), tmp_path)

    assert calls[0][:2] == ["delete", "account"]
    assert option(calls[0], "--name") == "READER_chat"
