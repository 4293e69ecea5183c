"""Making and mending streams and durables, as the job does it."""

import asyncio
import json
import os
import sys
from dataclasses import replace
from typing import Any, Never

import pytest
from doubles.made_up_refusals import MadeUp

from countersign.contracts.errors import Rejected
from countersign.messaging.administration import cli
from countersign.messaging.administration.provisioning import apply_topology
from countersign.messaging.bus import Work
from countersign.messaging.topology.streams import DURABLES, STREAMS


async def run(server: Any, *arguments: str, user: Any = "topology") -> Any:
    environment = os.environ | {
        "COUNTERSIGN_NATS_URL": server.url,
        "COUNTERSIGN_NKEY_FILE": str(server.keys_dir / f"{user}.nk"),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "countersign.messaging.administration.cli",
        *arguments,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, out.decode(), err.decode()


async def test_command_makes_everything_and_then_has_nothing_to_do(bare_server: Any) -> None:
    code, first, errors = await run(bare_server, "apply")
    again = await run(bare_server, "apply")

    assert (code, errors) == (0, "")
    assert "+ stream PROMOTIONS" in first
    assert "+ durable PROMOTIONS/pr-writer-jobs" in first
    assert again == (0, "nothing to change\n", "")


async def test_dry_run_shows_and_changes_nothing(bare_server: Any) -> None:
    for arguments in (("apply", "--dry-run"), ("--dry-run",), ("--dry-run", "apply")):
        code, out, _ = await run(bare_server, *arguments)

        assert code == 0
        assert "+ stream TOKENS" in out
        assert "5 to change; nothing was" in out


async def test_difference_is_shown_and_mended(server: Any, connect_as: Any) -> None:
    wanted = STREAMS["PIPELINES"]
    durable = DURABLES["pr-writer-jobs"]
    async with connect_as("topology") as client:
        await apply_topology(
            client,
            streams=[replace(wanted, bounds=replace(wanted.bounds, bytes_max=1024 * 1024))],
            durables=[replace(durable, ack_wait_s=7, in_flight_max=3)],
        )

    _, shown, _ = await run(server, "apply", "--dry-run")
    _, changed, _ = await run(server, "apply")
    _, after, _ = await run(server, "apply", "--dry-run")

    for out in (shown, changed):
        assert "~ stream PIPELINES\n    max_bytes: 1048576 -> 536870912\n" in out
        assert "ack_wait: 7000000000 -> 30000000000" in out
        assert "max_ack_pending: 3 -> 64" in out
        assert "PROMOTIONS\n" not in out
    assert after == "nothing to change\n"


async def test_what_we_do_not_speak_of_is_left_alone(server: Any, connect_as: Any) -> None:
    async with connect_as("topology") as client:
        info = json.loads((await client.request("$JS.API.STREAM.INFO.TOKENS")).data)
        body = info["config"] | {"metadata": {"owner": "team-a"}}
        await client.request("$JS.API.STREAM.UPDATE.TOKENS", json.dumps(body).encode())
        tokens = STREAMS["TOKENS"]
        small = replace(tokens, bounds=replace(tokens.bounds, bytes_max=1024 * 1024))

        await apply_topology(client, streams=[small], durables=[])

        after = json.loads((await client.request("$JS.API.STREAM.INFO.TOKENS")).data)
    assert after["config"]["metadata"]["owner"] == "team-a"
    assert after["config"]["max_bytes"] == 1024 * 1024


async def test_what_the_server_refuses_is_told_with_its_reason(
    server: Any, connect_as: Any
) -> None:
    async with connect_as("topology") as client:
        tokens = STREAMS["TOKENS"]
        greedy = replace(tokens, bounds=replace(tokens.bounds, bytes_max=1024**5))

        with pytest.raises(Rejected, match=r"STREAM\.UPDATE\.TOKENS"):
            await apply_topology(client, streams=[greedy], durables=[])


async def test_promotions_cannot_be_deleted_or_purged_even_by_their_stream(
    server: Any, connect_as: Any
) -> None:
    async with connect_as("topology") as client:
        info = json.loads((await client.request("$JS.API.STREAM.INFO.PROMOTIONS")).data)

    assert info["config"]["deny_delete"] is True
    assert info["config"].get("deny_purge", False) is False
    assert info["config"]["discard"] == "new"
    assert "max_age" not in info["config"] or info["config"]["max_age"] == 0


async def test_dead_letters_are_listed(
    server: Any, bus_of: Any, requested: Any, until: Any
) -> None:
    async def on_job(received: Any) -> Never:
        raise Rejected(MadeUp.NO_MARKER, "there is none")

    async with (
        bus_of("watcher") as watcher,
        bus_of("pr-writer") as writer,
        writer.serving(work=(Work("pr-writer-jobs", on_job),)),
    ):
        await watcher.publish(requested("p1"), message_id="m1")
        await watcher.publish(requested("p2"), message_id="m2")
        async with asyncio.timeout(10):
            while "2 dead letters" not in (listed := await run(server, "dead-letters"))[2]:  # noqa: ASYNC110
                await asyncio.sleep(0.1)

    code, out, _ = listed
    assert code == 0
    assert len(out.splitlines()) == 2
    assert "countersign.v1.promotion.requested.apps.podinfo.prod.p1\tno_marker" in out


async def test_user_without_rights_is_told(server: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(cli, "CONNECT_TIMEOUT_S", 5)

    code, _, errors = await run(server, "apply", user="auditor")

    assert code == 1
    assert "bus_unavailable" in errors


def test_without_a_command_it_tells_how_to_be_used(capsys: Any) -> None:
    assert cli.main([]) == 2
    assert "dead-letters" in capsys.readouterr().out


def test_unknown_key_file_is_one_clear_line(capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("COUNTERSIGN_NKEY_FILE", "/nowhere/topology.nk")

    assert cli.main(["apply"]) == 2
    assert "/nowhere/topology.nk" in capsys.readouterr().err
