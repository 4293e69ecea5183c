"""`countersign-auditor`: what is known of every stored credential."""

import sys
from typing import Final

from countersign.auditor import bootstrap
from countersign.auditor.settings import Settings
from countersign.contracts.forge_list import ForgeList
from countersign.messaging.settings import BusSettings
from countersign.process.configuration import read_document
from countersign.process.processes import forbid_dumps, run_until_signal
from countersign.process.setup import TelemetrySettings, telemetry
from countersign.process.startup import read_arguments, refusals_told

PROGRAM: Final = "countersign-auditor"
WHAT: Final = "Checks every stored credential that a Pipeline names, at its forge."


def main() -> int:
    read_arguments(PROGRAM, WHAT, Settings, BusSettings, TelemetrySettings)
    forbid_dumps()
    with refusals_told(PROGRAM, Settings, BusSettings, TelemetrySettings):
        settings, bus, watched = Settings(), BusSettings(), TelemetrySettings()
        forges = read_document(settings.forges_file, ForgeList)
    # The files that the forge list names are read by then.
    with refusals_told(PROGRAM), telemetry(bootstrap.SERVICE, watched) as t:
        return run_until_signal(bootstrap.run(settings, bus, t, forges=forges))


if __name__ == "__main__":
    sys.exit(main())
