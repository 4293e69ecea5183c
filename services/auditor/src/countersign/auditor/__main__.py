"""`countersign-auditor`: what is known of every stored credential."""

import argparse
import sys
from typing import Final

from pydantic import ValidationError

from countersign.auditor import bootstrap
from countersign.auditor.settings import Settings
from countersign.contracts.errors import Rejected
from countersign.forges.catalog import load_forges
from countersign.messaging.settings import BusSettings
from countersign.telemetry.processes import forbid_dumps, run_until_signal
from countersign.telemetry.setup import TelemetrySettings, telemetry

EXIT_SETTINGS: Final = 2


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="countersign-auditor",
        description="Checks every stored credential that a Pipeline names, at its forge.",
        epilog=_variables(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.parse_args()
    forbid_dumps()
    try:
        settings, bus, watched = Settings(), BusSettings(), TelemetrySettings()
        load_forges(settings.forges_file)
    except ValidationError as error:
        print(f"countersign-auditor: {_told(error)}", file=sys.stderr)
        return EXIT_SETTINGS
    except Rejected as error:
        print(f"countersign-auditor: {error.message}", file=sys.stderr)
        return EXIT_SETTINGS
    with telemetry(bootstrap.SERVICE, watched) as told:
        return run_until_signal(bootstrap.run(settings, bus, told))


def _variables() -> str:
    lines = ["Settings are environment variables:"]
    for model in (Settings, BusSettings, TelemetrySettings):
        for name, field in model.model_fields.items():
            lines.append(f"  COUNTERSIGN_{name.upper():<17} {field.description}")
    return "\n".join(lines)


def _told(error: ValidationError) -> str:
    details = error.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(_problem(".".join(map(str, d["loc"])), d["msg"]) for d in details)


def _problem(place: str, message: str) -> str:
    return f"COUNTERSIGN_{place.upper()}: {message}" if place else message


if __name__ == "__main__":
    sys.exit(main())
