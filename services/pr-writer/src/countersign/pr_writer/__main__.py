"""`countersign-pr-writer`: the pull request."""

import sys
from typing import Final

from countersign.contracts.forge_list import ForgeList
from countersign.dialects.kinds import refuse_unknown_options
from countersign.messaging.settings import BusSettings
from countersign.pr_writer import bootstrap
from countersign.pr_writer.parent.signing import signing_key
from countersign.pr_writer.settings import Settings
from countersign.process.configuration import read_document
from countersign.process.processes import forbid_dumps, run_until_signal
from countersign.process.setup import TelemetrySettings, telemetry
from countersign.process.startup import read_arguments, refusals_told

PROGRAM: Final = "countersign-pr-writer"
WHAT: Final = "Opens pull requests, each from a process of its own that ends with it."


def main() -> int:
    read_arguments(PROGRAM, WHAT, Settings, BusSettings, TelemetrySettings)
    forbid_dumps()
    with refusals_told(PROGRAM, Settings, BusSettings, TelemetrySettings):
        settings, bus, watched = Settings(), BusSettings(), TelemetrySettings()
        forges = read_document(settings.forges_file, ForgeList)
        for forge in forges.forges:
            refuse_unknown_options(forge)
        signing_key(bus.nkey_file)
    with telemetry(bootstrap.SERVICE, watched) as t:
        return run_until_signal(bootstrap.run(settings, bus, t, forges=forges))


if __name__ == "__main__":
    sys.exit(main())
