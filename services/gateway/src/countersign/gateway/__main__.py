"""`countersign-gateway`: settings, telemetry, run."""

import sys

from pydantic import ValidationError

from countersign.contracts.errors import Rejected
from countersign.gateway.bootstrap import run
from countersign.gateway.settings import GatewaySettings
from countersign.messaging.settings import BusSettings
from countersign.telemetry.processes import forbid_dumps, run_until_signal
from countersign.telemetry.setup import TelemetrySettings, telemetry

_BAD_SETTINGS = 2
_HELP = """countersign-gateway: the pages, the JSON API and server-sent events.

Settings are environment variables:
"""


def main() -> None:
    if {"-h", "--help"} & set(sys.argv[1:]):
        print(_HELP + _describe())
        return
    try:
        settings, bus, told = GatewaySettings(), BusSettings(), TelemetrySettings()
    except ValidationError as error:
        for detail in error.errors(include_input=False, include_url=False):
            place = ".".join(map(str, detail["loc"])).upper()
            name = f"COUNTERSIGN_{place}: " if place else ""
            print(f"countersign-gateway: {name}{detail['msg']}", file=sys.stderr)
        sys.exit(_BAD_SETTINGS)
    forbid_dumps()
    with telemetry("gateway", told) as about:
        try:
            code = run_until_signal(run(settings, bus, about))
        except* Rejected as group:
            for refused in group.exceptions:
                print(f"countersign-gateway: {refused}", file=sys.stderr)
            code = _BAD_SETTINGS
    sys.exit(code)


def _describe() -> str:
    lines = []
    for model in (GatewaySettings, BusSettings, TelemetrySettings):
        for name, field in model.model_fields.items():
            lines.append(f"  COUNTERSIGN_{name.upper():<14} {field.description}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
