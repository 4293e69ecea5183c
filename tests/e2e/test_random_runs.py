"""Random runs, judged from outside. `make chaos MINUTES=20` has more and longer ones."""

import os
import secrets
import time
from pathlib import Path

import pytest
from e2e.random_runs import run

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(0)]

MINUTES = float(os.environ.get("COUNTERSIGN_CHAOS_MINUTES", "0"))
SHORT_S, LONG_S = 20.0, 75.0


async def test_no_promise_is_broken_in_a_random_run(tmp_path: Path) -> None:
    seed = int(os.environ.get("COUNTERSIGN_CHAOS_SEED") or secrets.randbits(31))
    end_s = time.monotonic() + 60 * MINUTES
    number = 0

    while number == 0 or time.monotonic() < end_s:
        print(f"seed {seed + number}", flush=True)  # noqa: T201 - names the run that failed
        directory = tmp_path / str(number)
        account = await run(
            directory,
            seed=seed + number,
            seconds=LONG_S if MINUTES else SHORT_S,
            late=bool(MINUTES),
        )
        print(*account.lines(), sep="\n", flush=True)  # noqa: T201
        assert account.evidence.ours, "nothing was promoted, so nothing was tested"
        assert [*account.breaches, *account.finds] == []
        number += 1
