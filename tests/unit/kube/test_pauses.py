"""Pauses that are never the same for all."""

import pytest

from countersign.kube.watches.pauses import Pauses
from countersign.process.clocks import Clocks


async def waits(random: float) -> list[float]:
    slept: list[float] = []

    async def sleep(wait_s: float) -> None:
        slept.append(wait_s)

    pauses = Pauses(
        first_s=1.0, longest_s=8.0, refused_s=5.0, clocks=Clocks(random=lambda: random, sleep=sleep)
    )
    for failures in (0, 1, 99):
        await pauses.after(failures)
    await pauses.refused()
    return [*slept, float(pauses.watch_s())]


async def test_two_that_fail_together_do_not_come_back_together() -> None:
    assert await waits(0.0) == pytest.approx([0.5, 1.0, 4.0, 4.0, 240.0])
    assert await waits(1.0) == pytest.approx([1.0, 2.0, 8.0, 6.0, 300.0])
