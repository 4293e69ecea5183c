"""A served forge is tried: as approval does, and in a process of its own, as the pr-writer does."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from conformance.doubles import DOUBLES
from doubles.forge.served import served
from doubles.forge.state import SmallForge
from doubles.local_forge import RunningForge, free_socket, running_forge
from doubles.tls_front import tls_front

from countersign.checks.apart import check_forges_apart
from countersign.checks.forges import check_forge
from countersign.checks.model import Fault, Finding, Subject
from countersign.checks.words import advice
from countersign.contracts.forge_list import Forge, ForgeList

PUBLIC_URL = "http://127.0.0.1:8080"
CLIENT_ID, CLIENT_SECRET = "Iv1.made-up", "made-up-secret-of-nobody"


@pytest.fixture
async def forge(tmp_path: Path) -> AsyncIterator[RunningForge]:
    async with running_forge(tmp_path / "forge") as running:
        running.app(
            client_id=CLIENT_ID,
            client_secret=CLIENT_SECRET,
            callbacks=[f"{PUBLIC_URL}/oauth/callback/forge"],
        )
        yield running


def entry(
    forge: RunningForge, tmp_path: Path, *, client_id: str = CLIENT_ID, secret: str = CLIENT_SECRET
) -> Forge:
    file = tmp_path / "secret"
    file.write_text(secret)
    return Forge(
        name="Forge", kind="github", origin=forge.origin, api=forge.api,
        client_id=client_id, client_secret_file=str(file),
    )  # fmt: skip


async def tried(entry: Forge, *, ahead: timedelta = timedelta()) -> list[Finding]:
    def now() -> datetime:
        return datetime.now(UTC) + ahead

    return [one async for one in check_forge(entry, now=now, public_url=PUBLIC_URL)]


async def test_forge_that_knows_us_has_no_fault(forge: RunningForge, tmp_path: Path) -> None:
    found = await tried(entry(forge, tmp_path))

    assert [one.subject for one in found] == [Subject.FORGE, Subject.CLOCK, Subject.FORGE]
    assert [one.fault for one in found] == [None, None, None]


@pytest.mark.parametrize("wrong", [{"client_id": "Iv1.another"}, {"secret": "another"}])
async def test_forge_that_refuses_our_client_is_told_without_its_secret(
    forge: RunningForge, tmp_path: Path, wrong: dict[str, str]
) -> None:
    found = await tried(entry(forge, tmp_path, **wrong))

    assert found[-1].fault is Fault.APPLICATION_UNKNOWN
    assert CLIENT_SECRET not in repr(found)
    assert wrong.get("secret", CLIENT_SECRET) not in found[-1].detail


async def test_client_secret_that_is_not_mounted_is_missing(
    forge: RunningForge, tmp_path: Path
) -> None:
    mounted = entry(forge, tmp_path)
    (tmp_path / "secret").unlink()

    found = await tried(mounted)

    assert found[-1].fault is Fault.SECRET_MISSING


async def test_clock_that_differs_from_the_forge_is_wrong(
    forge: RunningForge, tmp_path: Path
) -> None:
    found = await tried(entry(forge, tmp_path), ahead=timedelta(minutes=5))

    assert [one.subject for one in found if one.fault is Fault.CLOCK_WRONG] == [Subject.CLOCK]


async def test_process_apart_finds_one_forge_there_and_another_away(
    forge: RunningForge, tmp_path: Path
) -> None:
    with free_socket() as nobody:
        away = Forge(name="Away", kind="gitea", origin=f"http://localhost:{port_of(nobody)}")
        forges = ForgeList(forges=(entry(forge, tmp_path), away))

        found = [one async for one in check_forges_apart(forges)]

    assert [(one.name, one.fault) for one in found] == [
        ("Forge", None),
        ("Forge", None),
        ("Away", Fault.CONNECTION_REFUSED),
    ]
    # Nobody's application is tried, for which a secret would be wanted.
    assert all("application" not in one.detail for one in found)


async def test_process_apart_that_is_killed_has_found_nothing() -> None:
    """As the kernel does where a Pod has too little memory."""
    with free_socket() as silent:
        silent.listen()
        away = Forge(name="Away", kind="gitea", origin=f"http://localhost:{port_of(silent)}")
        forges = ForgeList(forges=(away,))
        looking = asyncio.ensure_future(anext(check_forges_apart(forges)))
        os.kill(await child_of("countersign.checks"), signal.SIGKILL)

        found = await looking

    assert found.fault is Fault.NOT_TRIED


@pytest.mark.parametrize("asked", [b"", b'{"forges": []}'])
async def test_process_apart_says_nothing_once_nobody_listens(asked: bytes) -> None:
    """As where its service is killed meanwhile, in whose log it would write."""
    reads, writes = os.pipe()
    os.close(reads)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "countersign.checks"),
        stdin=asyncio.subprocess.PIPE,
        stdout=writes,
        stderr=asyncio.subprocess.PIPE,
    )
    os.close(writes)

    _, said = await process.communicate(asked)

    assert (process.returncode, said) == (0, b"")


def port_of(server: socket.socket) -> int:
    return int(server.getsockname()[1])


async def child_of(name: str) -> int:
    """Wait for a process of that name that this one started."""
    async with asyncio.timeout(20):
        while not (found := children_of(os.getpid(), name)):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.02)
    return found[0]


def children_of(pid: int, name: str) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(c) for c in children if name in Path(f"/proc/{c}/cmdline").read_text()]


async def test_forge_whose_authority_is_not_ours_is_told_with_the_field(tmp_path: Path) -> None:
    async with tls_front(tmp_path, port=9) as front:
        (found,) = await tried(Forge(name="F", kind="gitea", origin=front.origin))

    assert (found.subject, found.fault) == (Subject.FORGE, Fault.NOT_TRUSTED)
    assert "caFile" in advice(found)


async def test_forge_whose_name_nobody_knows_is_told() -> None:
    (found,) = await tried(Forge(name="F", kind="gitea", origin="https://forge.invalid"))

    assert (found.subject, found.fault) == (Subject.FORGE, Fault.NAME_UNKNOWN)


@pytest.mark.parametrize("content", [None, "no certificate"])
async def test_authority_that_cannot_be_read_is_told(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)

    (found,) = await tried(
        Forge(name="F", kind="gitea", origin="https://forge.invalid", ca_file=str(file))
    )

    assert found.fault is Fault.BAD_AUTHORITY
    assert str(file) in found.detail


@pytest.mark.parametrize("kind", DOUBLES)
@pytest.mark.parametrize(
    ("client", "fault"),
    [
        ((CLIENT_ID, CLIENT_SECRET), None),
        ((CLIENT_ID, "another"), Fault.APPLICATION_UNKNOWN),
        (("another", CLIENT_SECRET), Fault.APPLICATION_UNKNOWN),
    ],
    ids=["right", "another secret", "another name"],
)
async def test_forge_of_each_kind_tells_whether_it_knows_us(
    tmp_path: Path, kind: str, client: tuple[str, str], fault: Fault | None
) -> None:
    double = DOUBLES[kind]
    assert double.oauth is not None
    small = SmallForge(kind, clock=lambda: datetime.now(UTC))
    api = double.api(small, double.oauth(small, CLIENT_ID, CLIENT_SECRET))
    (tmp_path / "secret").write_text(client[1])
    async with served(api) as origin:
        found = await tried(
            Forge.model_validate(
                {
                    "name": "Forge",
                    "kind": kind,
                    "origin": origin,
                    "api": f"{origin}{double.api_path}",
                    "signIn": f"{origin}{double.sign_in_path}" if double.sign_in_path else "",
                    "broadTokens": "accept",
                    "clientId": client[0],
                    "clientSecretFile": str(tmp_path / "secret"),
                }
            )
        )

    assert [one.subject for one in found if one.fault] == ([Subject.FORGE] if fault else [])
    assert found[-1].fault is fault
