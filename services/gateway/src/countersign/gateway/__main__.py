"""`countersign-gateway`: the pages, the JSON API and server-sent events."""

import sys
from typing import Final

from countersign.gateway.bootstrap import run
from countersign.gateway.settings import GatewaySettings
from countersign.kube.http_api import KubeSettings
from countersign.messaging.settings import BusSettings
from countersign.telemetry.processes import forbid_dumps, run_until_signal
from countersign.telemetry.setup import TelemetrySettings, telemetry
from countersign.telemetry.starting import read_arguments, refusals_told

PROGRAM: Final = "countersign-gateway"
WHAT: Final = "Shows people what can be promoted: pages, a JSON API, server-sent events."


def main() -> int:
    read_arguments(PROGRAM, WHAT, GatewaySettings, KubeSettings, BusSettings, TelemetrySettings)
    forbid_dumps()
    with refusals_told(PROGRAM):
        settings, kube = GatewaySettings(), KubeSettings()
        bus, watched = BusSettings(), TelemetrySettings()
    # The documents and the address that the settings name are of no use either.
    with refusals_told(PROGRAM), telemetry("gateway", watched) as t:
        return run_until_signal(run(settings, bus, kube, t))


if __name__ == "__main__":
    sys.exit(main())
