"""`countersign-watcher`: what runs where, and what should be promoted."""

import sys
from typing import Final

from countersign.messaging.settings import BusSettings
from countersign.process.processes import forbid_dumps, run_until_signal
from countersign.process.setup import TelemetrySettings, telemetry
from countersign.process.startup import read_arguments, refusals_told
from countersign.watcher import bootstrap
from countersign.watcher.pulls.sources import read_sources
from countersign.watcher.settings import Settings

PROGRAM: Final = "countersign-watcher"
WHAT: Final = "Watches Pipelines and what their environments run, and asks for promotions."


def main() -> int:
    read_arguments(PROGRAM, WHAT, Settings, BusSettings, TelemetrySettings)
    forbid_dumps()
    with refusals_told(PROGRAM, Settings, BusSettings, TelemetrySettings):
        settings, bus, watched = Settings(), BusSettings(), TelemetrySettings()
        listed = bootstrap.listed(settings)
        sources = read_sources(listed.forges if listed else ())
    with telemetry(bootstrap.SERVICE, watched) as t:
        return run_until_signal(bootstrap.run(settings, bus, t, sources=sources))


if __name__ == "__main__":
    sys.exit(main())
