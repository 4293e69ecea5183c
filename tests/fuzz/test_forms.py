"""Whatever a browser posts is answered: nobody sees a traceback, and nothing counts as a fault."""

import os
import random
import secrets
import time

from fuzz.mutation import mangled
from unit.gateway.browsing import browser
from unit.gateway.doubles import Scene

MINUTES = float(os.environ.get("COUNTERSIGN_FUZZ_MINUTES", "0"))
MOMENT_S = 1.5
PATHS = ("/sign-in", "/sign-out", "/p/shop/checkout/prod/promote", "/promotions/x/retry")
PARTS = (
    b'--b\r\nContent-Disposition: form-data; name="person"\r\n\r\ngrace\r\n--b--\r\n',
    b'--b\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\nx\r\n--b--\r\n',
    b"person=grace&form_token=x",
    b"person=%ff%fe&form_token=%00&person=&&&=;",
)
TYPES = (
    "multipart/form-data; boundary=b", "multipart/form-data", "multipart/form-data; boundary=",
    "application/x-www-form-urlencoded", "application/x-www-form-urlencoded; charset=utf-99",
    "text/plain", "", "application/json", 'multipart/form-data; boundary="b" charset=x',
)  # fmt: skip


async def test_form_is_answered_whatever_it_holds() -> None:
    seed = secrets.randbits(31) if MINUTES else 0
    chance, end_s = random.Random(seed), time.monotonic() + (60 * MINUTES / 10 or MOMENT_S)  # noqa: S311
    statuses = set()

    for person in ("", "grace"):
        async with browser(Scene(), person=person) as client:
            while time.monotonic() < end_s - (0 if person else MOMENT_S / 2):
                body = mangled(chance.choice(PARTS), chance)
                headers = {"content-type": chance.choice(TYPES), "sec-fetch-site": "same-origin"}
                path = chance.choice(PATHS)
                answer = await client.post(path, content=body, headers=headers)
                assert answer.status_code < 500, (seed, path, headers, body)
                statuses.add(answer.status_code)

    assert len(statuses) > 1
