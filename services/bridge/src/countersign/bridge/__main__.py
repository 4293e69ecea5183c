"""`countersign-bridge`: sends events on over HTTP."""

import sys
from typing import Final

from countersign.bridge import bootstrap
from countersign.bridge.settings import Settings
from countersign.messaging.settings import BusSettings
from countersign.process.processes import run_until_signal
from countersign.process.setup import TelemetrySettings, telemetry
from countersign.process.startup import read_arguments, refusals_told

PROGRAM: Final = "countersign-bridge"
WHAT: Final = "Sends the events of one reader to one URL, as CloudEvents, CDEvents or for a chat."


def main() -> int:
    read_arguments(PROGRAM, WHAT, Settings, BusSettings, TelemetrySettings)
    with refusals_told(PROGRAM, Settings, BusSettings, TelemetrySettings):
        settings, bus, watched = Settings(), BusSettings(), TelemetrySettings()
        target = bootstrap.destination(settings)
    with telemetry(bootstrap.SERVICE, watched) as t:
        return run_until_signal(bootstrap.run(settings, bus, t, target=target))


if __name__ == "__main__":
    sys.exit(main())
