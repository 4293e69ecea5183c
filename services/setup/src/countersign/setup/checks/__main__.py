"""`countersign-check`: look whether an installation has what it needs, a line for each thing."""

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from pydantic import ValidationError

from countersign.checks.addresses import check_addresses
from countersign.checks.bus import check_bus
from countersign.checks.cluster import check_cluster, of_accounts, rights_in
from countersign.checks.files import check_secret, check_webhook_secrets
from countersign.checks.forges import check_forge
from countersign.checks.model import Finding
from countersign.checks.provider import check_provider
from countersign.checks.words import line
from countersign.contracts.errors import Rejected
from countersign.contracts.forge_list import ForgeList
from countersign.kube.access.http_api import cluster_api
from countersign.messaging.settings import BusSettings
from countersign.messaging.topology.permissions import TOPOLOGY
from countersign.messaging.topology.streams import STREAMS
from countersign.process.configuration import read_document
from countersign.process.faults.mounts import Mount
from countersign.setup.checks.settings import CheckSettings
from countersign.telemetry.logs import configure_logs

PROGRAM: Final = "countersign-check"
EXIT_FAULTS: Final = 1
EXIT_USAGE: Final = 2


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description="Tries what an installation needs, and says what to do about what is missing: "
        "addresses, forges and our applications there, the identity provider, the bus and its "
        "streams, kinds and rights in the cluster, clocks. It changes nothing.",
        epilog="Settings are those of the services (k8s/settings/settings.yaml), and the key of "
        "the bus's user `topology` in COUNTERSIGN_NKEY_FILE.",
    )
    parser.parse_args(arguments)
    configure_logs(service=PROGRAM, level="warning")
    try:
        settings, bus = CheckSettings(), BusSettings()
        forges = read_document(settings.forges_file, ForgeList)
    except ValidationError as error:
        faults = "; ".join(
            f"COUNTERSIGN_{'_'.join(map(str, d['loc']))}".upper() + f": {d['msg']}"
            for d in error.errors(include_input=False, include_url=False)
        )
        print(f"{PROGRAM}: {faults}", file=sys.stderr)
        return EXIT_USAGE
    except Rejected as error:
        print(f"{PROGRAM}: {error.message}", file=sys.stderr)
        return EXIT_USAGE
    return EXIT_FAULTS if asyncio.run(_run(settings, bus, forges)) else 0


async def _run(settings: CheckSettings, bus: BusSettings, forges: ForgeList) -> int:
    """Say each finding as it comes; returns how many are serious."""
    serious = 0
    async for finding in findings(settings, bus, forges):
        print(line(finding), flush=True)
        serious += finding.is_serious
    return serious


async def findings(
    settings: CheckSettings, bus: BusSettings, forges: ForgeList
) -> AsyncIterator[Finding]:
    """Look at everything, one after another; nothing that is missing ends the look."""
    for finding in check_addresses(settings.public_url, forges.forges):
        yield finding
    for forge in forges.forges:
        async for finding in check_forge(forge, now=_now, public_url=settings.public_url):
            yield finding
    for finding in _secrets(settings, forges):
        yield finding
    if settings.oidc_issuer_url:
        issuer, ca_file = settings.oidc_issuer_url, settings.oidc_ca_file
        async for finding in check_provider(issuer, ca_file, now=_now):
            yield finding
    async for finding in check_bus(bus, user=TOPOLOGY, streams=STREAMS):
        yield finding
    if settings.kube.in_use:
        rights = rights_in(settings.only_namespaces)
        async with cluster_api(settings.kube) as api:
            ask = of_accounts(settings.namespace)
            async for finding in check_cluster(api, ask=ask, rights=rights):
                yield finding


def _secrets(settings: CheckSettings, forges: ForgeList) -> Iterator[Finding]:
    yield from check_webhook_secrets(forges.forges)
    if settings.oidc_client_secret_file:
        name = "COUNTERSIGN_OIDC_CLIENT_SECRET_FILE"
        yield check_secret(name, settings.oidc_client_secret_file, Mount.OIDC)


def _now() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    sys.exit(main())
