"""`countersign-approval`: consent, OAuth and the vault."""

import argparse
import sys
from typing import Final

from pydantic import ValidationError

from countersign.approval import bootstrap
from countersign.approval.settings import Settings
from countersign.contracts.errors import Rejected
from countersign.forges.catalog import load_forges
from countersign.messaging.settings import BusSettings
from countersign.telemetry.processes import forbid_dumps, run_until_signal
from countersign.telemetry.setup import TelemetrySettings, telemetry

EXIT_SETTINGS: Final = 2


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="countersign-approval",
        description="Asks people for their consent and keeps what they delegate, for minutes.",
        epilog="Configured by COUNTERSIGN_* variables; see the README of the service.",
    )
    parser.parse_args()
    forbid_dumps()
    try:
        settings, bus, watched = Settings(), BusSettings(), TelemetrySettings()
        bootstrap.check_secrets(load_forges(settings.forges_file).forges)
    except ValidationError as error:
        print(f"countersign-approval: {_told(error)}", file=sys.stderr)
        return EXIT_SETTINGS
    except Rejected as error:
        print(f"countersign-approval: {error.message}", file=sys.stderr)
        return EXIT_SETTINGS
    with telemetry(bootstrap.SERVICE, watched) as t:
        return run_until_signal(bootstrap.run(settings, bus, t))


def _told(error: ValidationError) -> str:
    details = error.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(
        f"COUNTERSIGN_{'_'.join(map(str, d['loc'])).upper()}: {d['msg']}" for d in details
    )


if __name__ == "__main__":
    sys.exit(main())
