"""Record what a reader hears, one event a line, until interrupted: `recordings/` was made so.

Takes `NATS_URL` and `NATS_NKEY`, as docs/subscribe.md says.
"""

import asyncio
import json
import os
import sys

import nats
from nats.aio.msg import Msg


async def _print(message: Msg) -> None:
    line = {
        "subject": message.subject,
        "headers": message.headers,
        "body": json.loads(message.data),
    }
    sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
    sys.stdout.flush()


async def main() -> None:
    bus = await nats.connect(os.environ["NATS_URL"], nkeys_seed=os.environ["NATS_NKEY"])
    await bus.subscribe("countersign.v1.>", cb=_print)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
