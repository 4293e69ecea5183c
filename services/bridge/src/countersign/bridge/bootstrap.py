"""Puts the service together and runs it; the only place that names concrete classes."""

from contextlib import AsyncExitStack
from typing import Final

from countersign.bridge.delivery import Delivery
from countersign.bridge.destination import Destination
from countersign.bridge.settings import Settings
from countersign.contracts.errors import Rejected
from countersign.contracts.secret import Secret
from countersign.messaging.reading import open_reader
from countersign.messaging.settings import BusSettings
from countersign.process.http.serving import serve_health
from countersign.process.refusals import ProcessRefusal
from countersign.process.secret_files import read_secret
from countersign.process.setup import Telemetry

SERVICE: Final = "bridge"


def destination(settings: Settings) -> Destination:
    """Make it of what the settings name.

    Raises:
        Rejected: `bad_secret`.

    """
    if settings.url_file is not None:
        url = read_secret(settings.url_file).reveal()
    elif settings.url is not None:
        url = settings.url.get_secret_value()
    else:
        raise Rejected(
            ProcessRefusal.BAD_SECRET, "COUNTERSIGN_BRIDGE_URL or COUNTERSIGN_BRIDGE_URL_FILE"
        )
    secret: Secret | None = read_secret(settings.secret_file) if settings.secret_file else None
    return Destination(url, secret=secret)


async def run(
    settings: Settings, bus: BusSettings, telemetry: Telemetry, *, target: Destination
) -> None:
    delivery = Delivery(destination=target, shape=settings.shape, wanted=settings.events)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(target.close)
        await stack.enter_async_context(serve_health(telemetry.health, telemetry.settings))
        durable = await stack.enter_async_context(
            open_reader(
                bus, reader=settings.reader, stream=settings.stream, health=telemetry.health
            )
        )
        await delivery.run(durable)
