"""`countersign-check`: look whether an installation has what it needs, a line for each thing."""

import argparse
import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from countersign.checks.addresses import check_addresses
from countersign.checks.bus import check_bus
from countersign.checks.cluster import check_cluster, of_accounts, rights_in
from countersign.checks.files import check_secret, check_webhook_secrets
from countersign.checks.forges import check_forge
from countersign.checks.model import Finding
from countersign.checks.provider import check_provider
from countersign.checks.words import last_line, line
from countersign.contracts.forge_list import ForgeList
from countersign.kube.access.http_api import cluster_api
from countersign.messaging.topology.permissions import TOPOLOGY
from countersign.messaging.topology.streams import STREAMS
from countersign.process.faults.mounts import Mount
from countersign.setup.checks.configuration import Configuration, read_configuration
from countersign.setup.checks.settings import CheckSettings
from countersign.telemetry.logs import configure_logs

PROGRAM: Final = "countersign-check"
EXIT_FAULTS: Final = 1


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
    configuration = read_configuration(os.environ)
    return EXIT_FAULTS if asyncio.run(_run(configuration)) else 0


async def _run(configuration: Configuration) -> int:
    """Say each finding as it comes; returns how many are serious."""
    tried = failed = 0
    async for finding in findings(configuration):
        print(line(finding), flush=True)
        tried += 1
        failed += finding.is_serious
    print(last_line(tried=tried, failed=failed))
    return failed


async def findings(configuration: Configuration) -> AsyncIterator[Finding]:
    """Look at everything, one after another; nothing that is missing ends the look."""
    settings, forges = configuration.settings, configuration.forges
    for finding in configuration.findings:
        yield finding
    for finding in check_addresses(settings.public_url, forges.forges):
        yield finding
    for finding in _secrets(settings, forges):
        yield finding
    for forge in forges.forges:
        async for finding in check_forge(forge, now=_now, public_url=settings.public_url):
            yield finding
    if settings.oidc_issuer_url:
        issuer, ca_file = settings.oidc_issuer_url, settings.oidc_ca_file
        async for finding in check_provider(issuer, ca_file, now=_now):
            yield finding
    async for finding in _installed(configuration):
        yield finding


async def _installed(configuration: Configuration) -> AsyncIterator[Finding]:
    """Look at the bus and at the cluster, where we know enough to reach them."""
    bus, kube = configuration.bus, configuration.kube
    if bus is not None:
        async for finding in check_bus(bus, user=TOPOLOGY, streams=STREAMS):
            yield finding
    if kube is not None and kube.in_use:
        settings = configuration.settings
        rights = rights_in(settings.only_namespaces)
        async with cluster_api(kube) as api:
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
