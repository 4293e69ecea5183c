"""How often Secrets are looked at, and how soon one that was renewed is noticed."""

from collections.abc import Mapping

from countersign.auditor.checks.marking import Marking
from countersign.auditor.model import CredentialKey
from countersign.auditor.secrets.api_secrets import LOOK_S, LOOKS_PER_S_MAX, ApiSecrets
from countersign.kube.objects import Manifest

STEP_S = 2.0
MANY = [CredentialKey("apps", f"token-{number}") for number in range(1000)]


class Server:
    def __init__(self) -> None:
        self.renewed: set[str] = set()
        self.looks: list[str] = []

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Manifest | None = None,
        content_type: str = "application/json",
    ) -> Manifest:
        del method, query, body, content_type
        return {"metadata": self._version(path)}

    async def metadata(self, path: str) -> Manifest:
        self.looks.append(path)
        return self._version(path)

    def _version(self, path: str) -> Manifest:
        renewed = path.rpartition("/")[2] in self.renewed
        return {"uid": "u", "resourceVersion": "2" if renewed else "1"}


class Looking:
    """Asks every two seconds what has changed."""

    def __init__(self, keys: list[CredentialKey]) -> None:
        self.now_s = 1000.0
        self.server = Server()
        self._keys = keys
        self._secrets = ApiSecrets(
            self.server, mark=Marking(b"made up"), monotonic_s=lambda: self.now_s
        )

    async def read_all(self) -> None:
        for key in self._keys:
            await self._secrets.read(key)

    async def step(self) -> frozenset[CredentialKey]:
        self.now_s += STEP_S
        return await self._secrets.changed(self._keys)

    async def noticed_after_s(self, key: CredentialKey) -> float:
        self.server.renewed.add(key.name)
        began_s = self.now_s
        while key not in await self.step():
            assert self.now_s - began_s < 1000
        return self.now_s - began_s


async def test_one_of_few_is_noticed_within_seconds() -> None:
    looking = Looking(MANY[:5])
    await looking.read_all()

    assert await looking.noticed_after_s(MANY[3]) <= LOOK_S + STEP_S


async def test_one_of_many_is_noticed_within_a_minute_at_a_bounded_rate() -> None:
    looking = Looking(MANY)
    await looking.read_all()
    counts = []
    for _ in range(30):
        before = len(looking.server.looks)
        await looking.step()
        counts.append(len(looking.server.looks) - before)

    worst_s = [await looking.noticed_after_s(MANY[at]) for at in (0, 500, 999)]

    assert max(worst_s) <= len(MANY) / LOOKS_PER_S_MAX + STEP_S < 60
    assert max(counts) <= STEP_S * LOOKS_PER_S_MAX


async def test_pause_is_not_made_up_for() -> None:
    looking = Looking(MANY)
    await looking.read_all()
    looking.now_s += 3600

    await looking.step()

    assert len(looking.server.looks) <= LOOK_S * LOOKS_PER_S_MAX
