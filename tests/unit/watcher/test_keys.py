"""Where the keys of promotion hints come from."""

import asyncio
import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from doubles.hinting import KEY, Keys

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.messages import SecretRef
from countersign.contracts.secret import Secret
from countersign.kube.objects import Manifest
from countersign.kube.refusals import ClusterRefusal
from countersign.watcher.hints.keys import (
    KEPT_MAX,
    KEPT_S,
    LOOKUPS_AT_ONCE_MAX,
    ClusterKeys,
    FolderKeys,
    KeptKeys,
)

HERE = SecretRef(namespace="shop", name="key")


class Api:
    """One Secret, or an error."""

    def __init__(self, **data: bytes) -> None:
        self.data = {k: base64.b64encode(v).decode() for k, v in data.items()}
        self.error: Exception | None = None
        self.asked: list[str] = []

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Manifest | None = None,
        content_type: str = "application/json",
    ) -> Manifest:
        assert (query, body, content_type) == (None, None, "application/json")
        self.asked.append(f"{method} {path}")
        if self.error:
            raise self.error
        return {"metadata": {"uid": "u", "resourceVersion": "1"}, "data": self.data}


def revealed(key: Secret | None) -> str | None:
    return key.reveal() if key else None


def kept(keys: Any, now: list[float] | None = None, *, lookup_s: float = 5.0) -> KeptKeys:
    times = now or [0.0]
    return KeptKeys(keys, lookup_s=lookup_s, clock=lambda: times[0])


async def test_key_is_a_file_where_secrets_are_mounted(tmp_path: Path) -> None:
    (tmp_path / "shop" / "key").mkdir(parents=True)
    (tmp_path / "shop" / "key" / "hmac-key").write_text(f"{KEY}\n")

    assert revealed(await FolderKeys(tmp_path).read(HERE)) == KEY


@pytest.mark.parametrize("name", ["absent", "..", "../shop/key", "key/.."])
async def test_file_of_another_name_is_not_read(tmp_path: Path, name: str) -> None:
    (tmp_path / "hmac-key").write_text(KEY)
    (tmp_path / "shop").mkdir()

    assert await kept(FolderKeys(tmp_path)).read(SecretRef(namespace="shop", name=name)) is None


async def test_empty_file_is_no_key(tmp_path: Path) -> None:
    (tmp_path / "shop" / "key").mkdir(parents=True)
    (tmp_path / "shop" / "key" / "hmac-key").write_text("\n")

    assert await kept(FolderKeys(tmp_path)).read(HERE) is None


async def test_folder_that_cannot_be_read_holds_no_key(tmp_path: Path) -> None:
    (tmp_path / "shop").write_text("a file where a folder belongs")

    assert await kept(FolderKeys(tmp_path)).read(HERE) is None


async def test_key_is_read_from_the_named_secret_and_nothing_else() -> None:
    api = Api(**{"hmac-key": KEY.encode(), "token": b"made-up-token"})

    assert revealed(await ClusterKeys(api).read(HERE)) == KEY
    assert api.asked == ["GET /api/v1/namespaces/shop/secrets/key"]


async def test_secret_without_the_key_has_none() -> None:
    assert await kept(ClusterKeys(Api(token=b"made-up-token"))).read(HERE) is None
    assert await kept(ClusterKeys(Api(**{"hmac-key": b""}))).read(HERE) is None


async def test_key_that_is_no_text_is_none() -> None:
    """Decoding it lost something, so that others would fit as well."""
    assert await kept(ClusterKeys(Api(**{"hmac-key": b"\xff\xfe\xfd"}))).read(HERE) is None


@pytest.mark.parametrize(
    "error",
    [Rejected(ClusterRefusal.FORBIDDEN, "no"), Retryable(ClusterRefusal.UNAVAILABLE, "away")],
)
async def test_key_that_cannot_be_read_is_none(error: Exception) -> None:
    api = Api(**{"hmac-key": KEY.encode()})
    api.error = error

    assert await kept(ClusterKeys(api)).read(HERE) is None


async def test_key_is_kept_for_seconds_and_then_read_again() -> None:
    keys, now = Keys(), [0.0]
    reader = kept(keys, now)

    for _ in range(3):
        await reader.read(HERE)
    keys.keys["key"] = "made-up-and-rotated"
    before = revealed(await reader.read(HERE))
    now[0] = KEPT_S
    after = revealed(await reader.read(HERE))

    assert (before, after) == (KEY, "made-up-and-rotated")
    assert keys.asked == ["key", "key"]


async def test_absence_is_kept_as_well() -> None:
    keys = Keys()
    reader = kept(keys)
    absent = SecretRef(namespace="shop", name="absent")

    assert [await reader.read(absent) for _ in range(3)] == [None] * 3
    assert keys.asked == ["absent"]


async def test_memory_of_keys_is_bounded() -> None:
    keys = Keys()
    reader = kept(keys)
    for number in range(KEPT_MAX + 1):
        await reader.read(SecretRef(namespace="shop", name=str(number)))

    await reader.read(SecretRef(namespace="shop", name="0"))

    assert keys.asked.count("0") == 2
    assert len(keys.asked) == KEPT_MAX + 2


class Slow:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.asking = 0
        self.most = 0

    async def read(self, secret: SecretRef) -> Secret | None:
        assert secret
        self.asking += 1
        self.most = max(self.most, self.asking)
        try:
            await self.go.wait()
        finally:
            self.asking -= 1
        return Secret(KEY)


async def test_key_that_does_not_come_in_time_is_none() -> None:
    assert await kept(Slow(), lookup_s=0.05).read(HERE) is None


async def test_keys_asked_for_at_once_are_few_and_one_key_is_asked_for_once() -> None:
    slow = Slow()
    reader = kept(slow)
    async with asyncio.TaskGroup() as tasks:
        for number in range(20):
            tasks.create_task(reader.read(SecretRef(namespace="shop", name=str(number))))
            tasks.create_task(reader.read(HERE))
        while slow.asking < LOOKUPS_AT_ONCE_MAX:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0)
        slow.go.set()

    assert slow.most == LOOKUPS_AT_ONCE_MAX
