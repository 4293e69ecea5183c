"""`countersign-approval`: consent, OAuth and the vault."""

import sys
from typing import Final

from countersign.approval import bootstrap
from countersign.approval.settings import Settings
from countersign.contracts.forge_list import ForgeList
from countersign.kube.access.http_api import KubeSettings
from countersign.messaging.settings import BusSettings
from countersign.process.configuration import read_document
from countersign.process.processes import forbid_dumps, run_until_signal
from countersign.process.setup import TelemetrySettings, telemetry
from countersign.process.startup import read_arguments, refusals_told

PROGRAM: Final = "countersign-approval"
WHAT: Final = "Asks people for their consent and keeps what they delegate, for minutes."


def main() -> int:
    read_arguments(PROGRAM, WHAT, Settings, BusSettings, KubeSettings, TelemetrySettings)
    forbid_dumps()
    with refusals_told(PROGRAM, Settings, BusSettings, KubeSettings, TelemetrySettings):
        settings, bus, watched = Settings(), BusSettings(), TelemetrySettings()
        kube = KubeSettings()
        forges = read_document(settings.forges_file, ForgeList)
        bootstrap.check_entries(forges.forges)
    # The files that the forge list names are read by then.
    with refusals_told(PROGRAM), telemetry(bootstrap.SERVICE, watched) as t:
        return run_until_signal(bootstrap.run(settings, bus, t, forges=forges, kube=kube))


if __name__ == "__main__":
    sys.exit(main())
