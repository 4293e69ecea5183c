"""`countersign-gateway`: the pages, the JSON API and server-sent events."""

import sys
from typing import Final

from countersign.gateway.bootstrap import Configuration, run
from countersign.gateway.oidc.settings import OidcSettings
from countersign.gateway.settings import GatewaySettings
from countersign.kube.access.http_api import KubeSettings
from countersign.messaging.settings import BusSettings
from countersign.process.processes import forbid_dumps, run_until_signal
from countersign.process.setup import TelemetrySettings, telemetry
from countersign.process.startup import read_arguments, refusals_told

PROGRAM: Final = "countersign-gateway"
WHAT: Final = "Shows people what can be promoted: pages, a JSON API, server-sent events."


def main() -> int:
    read_arguments(
        PROGRAM,
        WHAT,
        GatewaySettings,
        OidcSettings,
        KubeSettings,
        BusSettings,
        TelemetrySettings,
    )
    forbid_dumps()
    shared = (GatewaySettings, KubeSettings, BusSettings, TelemetrySettings)
    with refusals_told(PROGRAM, *shared):
        settings, watched = GatewaySettings(), TelemetrySettings()
        configuration = Configuration(
            gateway=settings,
            bus=BusSettings(),
            kube=KubeSettings(),
            oidc=OidcSettings() if settings.sign_in == "oidc" else None,
        )
    # The documents and the address that the settings name are of no use either.
    with refusals_told(PROGRAM), telemetry("gateway", watched) as t:
        return run_until_signal(run(configuration, t))


if __name__ == "__main__":
    sys.exit(main())
