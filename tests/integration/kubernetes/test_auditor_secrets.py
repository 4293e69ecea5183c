"""The auditor reads what Pipelines name from a real API server, and notices what becomes of it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from apiserver import ApiServer
from doubles.auditing import FORGES, FakeBus, FakeProber, checker_of, observed, use
from doubles.service_accounts import (
    let_read,
    make_account,
    rotate_secret,
    secrets_path,
    settings_of,
    store_secret,
)

from countersign.auditor.checks.marking import Marking
from countersign.auditor.model import CredentialKey
from countersign.auditor.projection import Projection
from countersign.auditor.schedule import News, Schedule
from countersign.auditor.secrets.api_secrets import LOOK_S, ApiSecrets
from countersign.contracts.errors import Retryable
from countersign.contracts.forge_list import ForgeList
from countersign.contracts.messages import SecretRef, TokenValidity
from countersign.kube.access.http_api import HttpClusterApi, KubeSettings, cluster_api

ACCOUNT = "countersign-auditor"
FIRST, SECOND = "ghp_madeup0123456789", "ghp_madeup9876543210"


@dataclass
class Auditor:
    """Of one Secret in a namespace of its own."""

    key: CredentialKey
    secrets: ApiSecrets
    schedule: Schedule
    bus: FakeBus
    prober: FakeProber
    later_s: list[float] = field(default_factory=lambda: [0.0])

    async def look(self) -> None:
        """At the next time that Secrets are looked at."""
        self.later_s[0] += LOOK_S
        await self.schedule.step()


def auditor_of(api: HttpClusterApi, namespace: str, secret: str = "fleet") -> Auditor:
    key, later_s = CredentialKey(namespace, secret), [0.0]
    named = use().model_copy(update={"secret": SecretRef(namespace=namespace, name=secret)})
    projection = Projection()
    projection.pipeline_observed(observed(named))
    forge = FORGES.forges[0].model_copy(update={"repositories": {namespace: ("acme/*",)}})
    secrets = ApiSecrets(api, mark=Marking(b"made up"), monotonic_s=lambda: later_s[0])
    bus, prober = FakeBus(), FakeProber()

    def now() -> datetime:
        return datetime.now(UTC) + timedelta(seconds=later_s[0])

    news = News()
    checker = checker_of(
        projection,
        secrets=secrets,
        prober=prober,
        bus=bus,
        forges=ForgeList(forges=(forge,)),
        now=now,
        news=news,
    )
    schedule = Schedule(checker, projection=projection, secrets=secrets, news=news, now=now)
    schedule.begin()
    return Auditor(key, secrets, schedule, bus, prober, later_s)


@pytest.fixture
async def account(apiserver: ApiServer, admin: HttpClusterApi, namespace: str) -> KubeSettings:
    await make_account(admin, namespace, ACCOUNT)
    return await settings_of(admin, apiserver, ACCOUNT, namespace=namespace)


@pytest.fixture
async def auditor(account: KubeSettings, namespace: str) -> AsyncIterator[Auditor]:
    async with cluster_api(account) as api:
        yield auditor_of(api, namespace)


async def test_token_is_read_and_checked(
    auditor: Auditor, apiserver: ApiServer, admin: HttpClusterApi, namespace: str
) -> None:
    await store_secret(admin, namespace, "fleet", {"username": "robot", "password": FIRST})
    let_read(apiserver, namespace, ACCOUNT, "fleet")
    await auditor.schedule.step()

    assert auditor.bus.last.validity is TokenValidity.VALID
    assert auditor.bus.last.credential.namespace == namespace


async def test_rotated_secret_is_checked_at_the_next_look(
    auditor: Auditor, apiserver: ApiServer, admin: HttpClusterApi, namespace: str
) -> None:
    await store_secret(admin, namespace, "fleet", {"token": FIRST})
    let_read(apiserver, namespace, ACCOUNT, "fleet")
    await auditor.schedule.step()
    await auditor.look()
    asked = len(auditor.prober.asked)
    await rotate_secret(admin, namespace, "fleet", {"token": SECOND})
    await auditor.look()

    assert (asked, len(auditor.prober.asked)) == (1, 2)


async def test_secret_is_looked_at_no_more_often_than_it_may(
    auditor: Auditor, apiserver: ApiServer, admin: HttpClusterApi, namespace: str
) -> None:
    await store_secret(admin, namespace, "fleet", {"token": FIRST})
    let_read(apiserver, namespace, ACCOUNT, "fleet")
    await auditor.schedule.step()
    await rotate_secret(admin, namespace, "fleet", {"token": SECOND})

    assert await auditor.secrets.changed([auditor.key]) == frozenset()


async def test_forbidden_secret_is_found_with_the_line_that_grants_and_checked_once_granted(
    auditor: Auditor, apiserver: ApiServer, admin: HttpClusterApi, namespace: str
) -> None:
    await store_secret(admin, namespace, "fleet", {"token": FIRST})
    await auditor.schedule.step()
    forbidden, codes = auditor.bus.last, auditor.bus.codes
    let_read(apiserver, namespace, ACCOUNT, "fleet")
    await auditor.look()

    assert forbidden.validity is TokenValidity.UNKNOWN
    assert codes[0] == "secret_forbidden"
    assert f"kubectl -n {namespace} create role" in forbidden.findings[0].message
    assert "not_known" not in codes
    assert auditor.bus.last.validity is TokenValidity.VALID
    assert "secret_forbidden" not in auditor.bus.codes


@pytest.mark.parametrize("keys", [None, {"username": "robot"}, {"token": "  "}])
async def test_secret_without_a_token_is_missing_until_it_has_one(
    auditor: Auditor,
    apiserver: ApiServer,
    admin: HttpClusterApi,
    namespace: str,
    keys: dict[str, str] | None,
) -> None:
    let_read(apiserver, namespace, ACCOUNT, "fleet")
    if keys is not None:
        await store_secret(admin, namespace, "fleet", keys)
    await auditor.schedule.step()
    missing = auditor.bus.last
    if keys is not None:
        await admin.call("DELETE", secrets_path(namespace, "fleet"))
    await store_secret(admin, namespace, "fleet", {"token": FIRST})
    await auditor.look()

    assert missing.validity is TokenValidity.MISSING
    assert missing.findings[0].code == "secret_missing"
    assert auditor.bus.last.validity is TokenValidity.VALID


async def test_server_that_is_away_leaves_what_is_known_as_it_is(
    account: KubeSettings, namespace: str
) -> None:
    gone = KubeSettings(url="https://127.0.0.1:9", account_dir=account.account_dir)
    async with cluster_api(gone) as api:
        auditor = auditor_of(api, namespace)
        await auditor.schedule.step()
        await auditor.look()
        with pytest.raises(Retryable, match="cluster_unavailable"):
            await auditor.secrets.read(auditor.key)

    assert auditor.bus.events == []
