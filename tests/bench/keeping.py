"""Memory of the gateway's projection for promotions that are over, read as on the wire.

Run: `.venv/bin/python tests/bench/keeping.py [--promotions 100000] [--environments 2000]`.
"""

import argparse
import gc
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench import replaying

from countersign.contracts.record.decisions import Heard
from countersign.gateway.view.projection import Projection

_STATUS: Final = Path("/proc/self/status")
_MIB: Final = 1024


def resident_mib() -> int:
    gc.collect()
    lines = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines())
    return int(lines["VmRSS"].split()[0]) // _MIB


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--promotions", type=int, default=100_000)
    parser.add_argument("--environments", type=int, default=2_000)
    options = parser.parse_args()
    projection = Projection(kept_max=options.promotions)
    before, spent_s = resident_mib(), time.process_time()
    marks = {options.promotions * part // 10 for part in (1, 5, 10)}
    each = len(replaying.LIFE)
    events = replaying.finished(options.promotions, environments=options.environments)
    for sequence, event in enumerate(events, 1):
        heard = Heard(sequence=sequence, recorded_at=datetime.now(UTC), traceparent="")
        # Read anew: events of the stream share nothing with each other.
        read = type(event).from_json(event.to_json())
        projection.apply(read, stream=replaying.STREAM, heard=heard)
        if sequence % each == 0 and sequence // each in marks:
            print(
                f"{sequence // each} promotions, {len(projection.records)} in the record, "
                f"{len(projection.timelines)} on pages: {resident_mib() - before} MiB, "
                f"{time.process_time() - spent_s:.0f} s of CPU",
                flush=True,
            )


if __name__ == "__main__":
    main()
