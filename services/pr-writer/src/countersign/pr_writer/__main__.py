"""`countersign-pr-writer`: the pull request."""

import argparse
import sys
from typing import Final

from pydantic import ValidationError

from countersign.contracts.errors import Rejected
from countersign.forges.catalog import load_forges
from countersign.messaging.settings import BusSettings
from countersign.pr_writer import bootstrap
from countersign.pr_writer.settings import Settings
from countersign.pr_writer.signing import signing_key
from countersign.telemetry.processes import forbid_dumps, run_until_signal
from countersign.telemetry.setup import TelemetrySettings, telemetry

EXIT_SETTINGS: Final = 2


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="countersign-pr-writer",
        description="Opens pull requests, each from a process of its own that ends with it.",
        epilog=_variables(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.parse_args()
    forbid_dumps()
    try:
        settings, bus, watched = Settings(), BusSettings(), TelemetrySettings()
        forges = load_forges(settings.forges_file)
        key = signing_key(bus.nkey_file)
    except ValidationError as error:
        print(f"countersign-pr-writer: {_told(error)}", file=sys.stderr)
        return EXIT_SETTINGS
    except Rejected as error:
        print(f"countersign-pr-writer: {error.message}", file=sys.stderr)
        return EXIT_SETTINGS
    with telemetry(bootstrap.SERVICE, watched) as t:
        return run_until_signal(bootstrap.run(settings, bus, t, forges=forges, key=key))


def _variables() -> str:
    lines = [
        f"  COUNTERSIGN_{name.upper()}: {field.description}"
        for settings in (Settings, BusSettings, TelemetrySettings)
        for name, field in settings.model_fields.items()
    ]
    return "environment:\n" + "\n".join(lines)


def _told(error: ValidationError) -> str:
    details = error.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(
        f"COUNTERSIGN_{'_'.join(map(str, d['loc'])).upper()}: {d['msg']}" if d["loc"] else d["msg"]
        for d in details
    )


if __name__ == "__main__":
    sys.exit(main())
