"""What is tried of the bus from inside a Pod, with the key of that Pod."""

from typing import Final

# Published, or with a `<` before it subscribed to; nobody of the five may.
FORBIDDEN_TO_ALL: Final = (
    "countersign.v1.promotion.requested.shop.checkout.prod.x",
    "$JS.API.STREAM.DELETE.PROMOTIONS",
    "$JS.API.STREAM.PURGE.PROMOTIONS",
    "$JS.API.STREAM.UPDATE.PROMOTIONS",
    "$JS.API.STREAM.CREATE.MINE",
    "$JS.API.CONSUMER.CREATE.PROMOTIONS.mine",
    "$JS.API.CONSUMER.DURABLE.CREATE.PROMOTIONS.pr-writer",
    "$JS.API.CONSUMER.DELETE.PROMOTIONS.pr-writer",
    "_INBOX.somebody",
    "$SYS.REQ.SERVER.PING",
    "<>",
    "<_INBOX.>",
    "<countersign-in.v1.>",
    "<$JS.API.>",
    "<countersign-rpc.v1.>",
)

BUS_PROBE: Final = f"""
import asyncio, json
from countersign.contracts.subjects import inbox_prefix
from countersign.messaging.settings import BusSettings
import nats, ssl

async def main():
    settings = BusSettings()
    refused = []
    async def on_error(error):
        refused.append(str(error))
    tls = ssl.create_default_context(cafile=str(settings.nats_ca_file))
    client = await nats.connect(settings.servers, nkeys_seed=str(settings.nkey_file), tls=tls,
        error_cb=on_error)
    await client.subscribe(inbox_prefix("{{service}}") + ".>")
    await client.flush()
    await asyncio.sleep(0.2)
    own = len(refused)
    found = []
    for subject in {FORBIDDEN_TO_ALL!r}:
        before = len(refused)
        if subject.startswith("<"):
            await client.subscribe(subject[1:])
        else:
            await client.publish(subject, b"")
        await client.flush()
        for _ in range(20):
            if len(refused) > before: break
            await asyncio.sleep(0.05)
        if len(refused) > before and "permissions" in refused[-1].lower():
            found.append(subject)
    print(json.dumps({{"refused": found, "own": own}}))
    await client.close()

asyncio.run(main())
"""
