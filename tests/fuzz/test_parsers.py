"""Whatever others send is read or refused: no other error, and not for long.

`make fuzz MINUTES=10` does it longer. What was found is kept in `corpus` and tried first, always.
"""

import hashlib
import os
import random
import time
from pathlib import Path

import pytest
from fuzz.targets import Target, all_targets
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from reference import ROOT

CORPUS = ROOT / "tests/fuzz/corpus"
# All targets share it; without the variable each has a moment.
MINUTES = float(os.environ.get("COUNTERSIGN_FUZZ_MINUTES", "0"))
MOMENT_S = 0.5
EXAMPLES = 100
# Of larger inputs nobody says how long they take.
SMALL_BYTES_MAX = 200_000
NAMES = tuple(target.name for target in all_targets(Path("/nonexistent")))

pytestmark = pytest.mark.timeout(0)


@pytest.fixture
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Target:
    return next(one for one in all_targets(tmp_path) if one.name == request.param)


def _try(target: Target, body: bytes) -> None:
    # Of the processor: that a machine is busy is no fault.
    began_s = time.process_time()
    try:
        target.parse(body)
    except target.refusals:
        pass
    except Exception:
        _keep(target, body)
        raise
    took_s = time.process_time() - began_s
    if took_s > target.seconds_max and len(body) <= SMALL_BYTES_MAX:
        _keep(target, body)
        pytest.fail(f"{target.name}: {len(body)} bytes take {took_s:.1f} s")


def _keep(target: Target, body: bytes) -> None:
    """Only where somebody looks for trouble: a test leaves nothing in the tree."""
    if MINUTES:
        folder = CORPUS / target.name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / hashlib.sha256(body).hexdigest()[:16]).write_bytes(body)


@pytest.mark.parametrize("target", NAMES, indirect=True)
def test_parser_reads_or_refuses_whatever_comes(target: Target) -> None:
    end_s = time.monotonic() + (60 * MINUTES / len(NAMES) or MOMENT_S)

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.integers(min_value=0, max_value=2**32))
    def once(seed: int) -> None:
        if time.monotonic() < end_s:
            _try(target, target.draw(random.Random(seed)))  # noqa: S311

    once()
    while time.monotonic() < end_s:
        once()


@pytest.mark.parametrize("path", sorted(CORPUS.glob("*/*")), ids=lambda p: f"{p.parent.name}")
def test_what_was_found_once_is_not_found_again(path: Path, tmp_path: Path) -> None:
    target = next(one for one in all_targets(tmp_path) if one.name == path.parent.name)

    _try(target, path.read_bytes())
