"""`countersign-watcher`: what runs where, and what should be promoted."""

import argparse
import sys
from typing import Final

from pydantic import ValidationError

from countersign.contracts.errors import Rejected
from countersign.messaging.settings import BusSettings
from countersign.telemetry.processes import forbid_dumps, run_until_signal
from countersign.telemetry.setup import TelemetrySettings, telemetry
from countersign.watcher import bootstrap
from countersign.watcher.http import read_secrets
from countersign.watcher.settings import Settings, read_forges

EXIT_SETTINGS: Final = 2


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="countersign-watcher",
        description="Watches Pipelines and what their environments run, and asks for promotions.",
        epilog="Configured by COUNTERSIGN_* variables; see the README of the service.",
    )
    parser.parse_args()
    forbid_dumps()
    try:
        settings, bus, watched = Settings(), BusSettings(), TelemetrySettings()
        secrets = read_secrets(read_forges(settings.forges_file))
    except ValidationError as error:
        print(f"countersign-watcher: {_told(error)}", file=sys.stderr)
        return EXIT_SETTINGS
    except Rejected as error:
        print(f"countersign-watcher: {error.message}", file=sys.stderr)
        return EXIT_SETTINGS
    with telemetry(bootstrap.SERVICE, watched) as t:
        return run_until_signal(bootstrap.run(settings, bus, t, secrets=secrets))


def _told(error: ValidationError) -> str:
    details = error.errors(include_url=False, include_input=False, include_context=False)
    return "; ".join(
        f"COUNTERSIGN_{'_'.join(map(str, d['loc'])).upper()}: {d['msg']}" for d in details
    )


if __name__ == "__main__":
    sys.exit(main())
