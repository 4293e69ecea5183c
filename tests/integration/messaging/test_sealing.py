"""The record of a real stream: sealed, verified, archived, and compared with what was exported."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from integration.messaging.conftest import promotion

from countersign.contracts.errors import Rejected
from countersign.contracts.messages import PromotionSuperseded
from countersign.contracts.record.chain import Flaw
from countersign.messaging.administration import cli
from countersign.messaging.administration.retention import retain_promotions
from countersign.messaging.refusals import BusRefusal
from countersign.setup.record.__main__ import main
from countersign.setup.record.files import read_seals


class Office:
    """An administrator's files, and the command."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys, self.folder = capsys, folder
        self.seals, self.archive = folder / "seals.jsonl", folder / "archive.jsonl"
        self.key, self.public = folder / "key.pem", folder / "key.pub"
        key = Ed25519PrivateKey.generate()
        self.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        self.public.write_bytes(
            key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        )

    async def run(self, *arguments: object) -> tuple[int, str]:
        code = await asyncio.to_thread(main, [str(a) for a in arguments])
        return code, self.capsys.readouterr().out

    async def seal(self) -> int:
        return (await self.run("seal", "--key", self.key, "--seals", self.seals))[0]

    async def verify(self, *more: object) -> tuple[int, str]:
        return await self.run("verify", "--public-key", self.public, "--seals", self.seals, *more)


@pytest.fixture
def office(
    server: Any,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Office:
    settings = server.settings("record")
    monkeypatch.setenv("COUNTERSIGN_NATS_URL", settings.nats_url)
    monkeypatch.setenv("COUNTERSIGN_NKEY_FILE", str(settings.nkey_file))
    return Office(tmp_path, capsys)


def superseded(promotion_id: str) -> PromotionSuperseded:
    return PromotionSuperseded(promotion=promotion(promotion_id), reason="newer")


async def tell(bus: Any, *events: Any) -> None:
    for event in events:
        name = f"{type(event).__name__}-{event.promotion.promotion_id}"
        await bus.publish(event, message_id=name)


async def test_record_is_verified_over_seals_an_archive_and_the_stream(
    server: Any, bus_of: Any, connect_as: Any, requested: Any, office: Office
) -> None:
    async with bus_of("watcher") as watcher, connect_as("topology") as topology:
        await tell(watcher, requested("p1"), superseded("p1"))
        assert await office.seal() == 0
        assert await office.seal() == 0  # nothing new
        await tell(watcher, requested("p2"))
        assert await office.seal() == 0
        before = datetime.now(UTC) + timedelta(days=1)
        await retain_promotions(topology, before=before, archive=office.archive)
        await tell(watcher, superseded("p2"))

    with_archive = await office.verify("--archive", office.archive)
    stream_alone = await office.verify()
    code, lines = await office.run("rows", "--archive", office.archive)

    assert (with_archive[0], stream_alone[0], code) == (0, 0, 0)
    assert len(office.seals.read_text().splitlines()) == 2
    states = {row["promotionId"]: row["state"] for row in map(json.loads, lines.splitlines())}
    assert states == {"p1": "superseded", "p2": "superseded"}


async def test_tampering_with_archive_export_or_seals_shows(
    server: Any, bus_of: Any, connect_as: Any, requested: Any, office: Office
) -> None:
    rows = office.folder / "rows.jsonl"
    async with bus_of("watcher") as watcher, connect_as("topology") as topology:
        await tell(watcher, requested("p1"), superseded("p1"))
        await office.seal()
        rows.write_text((await office.run("rows"))[1])
        before = datetime.now(UTC) + timedelta(days=1)
        await retain_promotions(topology, before=before, archive=office.archive)
    archived, exported = office.archive.read_text(), rows.read_text()
    options = ("--archive", office.archive, "--rows", rows, "--no-stream")

    honest = await office.verify(*options)
    rows.write_text(exported.replace("superseded", "completed"))
    other_row = await office.verify(*options)
    rows.write_text(exported)
    office.archive.write_text(archived.replace("newer", "older"))
    other_event = await office.verify(*options)
    office.archive.write_text(archived.splitlines(keepends=True)[0])
    cut = await office.verify(*options)
    office.archive.write_text(archived)
    office.seals.write_text(office.seals.read_text().replace('"sealed_at":"20', '"sealed_at":"21'))
    other_seal = await office.verify(*options)

    assert honest[0] == 0, honest[1]
    for (code, said), flaw in (
        (other_row, Flaw.ROW_DIFFERS),
        (other_event, Flaw.EVENT_CHANGED),
        (cut, Flaw.END_MISSING),
        (other_seal, Flaw.BAD_SIGNATURE),
    ):
        assert code == 1
        assert flaw.value in said


async def test_events_dropped_before_they_were_sealed_are_told(
    server: Any, bus_of: Any, connect_as: Any, requested: Any, office: Office
) -> None:
    async with bus_of("watcher") as watcher, connect_as("topology") as topology:
        await tell(watcher, requested("p1"))
        await office.seal()
        await tell(watcher, superseded("p1"), requested("p2"), superseded("p2"))
        before = datetime.now(UTC) + timedelta(days=1)
        await retain_promotions(topology, before=before)
        await tell(watcher, requested("p3"))

    assert await office.seal() == 1


async def test_file_that_is_no_key_is_refused(server: Any, office: Office) -> None:
    office.key.write_text("nothing")

    assert await office.seal() == 1
    assert not office.seals.exists()


async def test_nothing_is_dropped_that_is_not_sealed_where_seals_are_kept(
    server: Any, bus_of: Any, connect_as: Any, requested: Any, office: Office
) -> None:
    async with bus_of("watcher") as watcher, connect_as("topology") as topology:
        await tell(watcher, requested("p1"), superseded("p1"))
        await office.seal()
        await tell(watcher, requested("p2"), superseded("p2"))
        before = datetime.now(UTC) + timedelta(days=1)

        with pytest.raises(Rejected) as refused:
            await retain_promotions(
                topology, before=before, archive=office.archive, seals=read_seals(office.seals)
            )
        untouched = office.archive.exists()
        await office.seal()
        seals = read_seals(office.seals)
        dropped = await retain_promotions(topology, before=before, seals=seals)
        again = await retain_promotions(topology, before=before, seals=seals)

    assert refused.value.reason is BusRefusal.NOT_SEALED
    assert "events 3 to 4" in refused.value.message
    assert not untouched
    assert (dropped.events, again.events) == (4, 0)


async def test_command_that_drops_wants_the_seals_it_was_told_of(
    server: Any, office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COUNTERSIGN_NKEY_FILE", str(server.settings("topology").nkey_file))
    arguments = ["retain", "--older-than-days", "7", "--seals", str(office.seals)]

    missing = await asyncio.to_thread(cli.main, arguments)
    office.seals.write_text("")
    there = await asyncio.to_thread(cli.main, arguments)

    assert (missing, there) == (1, 0)
