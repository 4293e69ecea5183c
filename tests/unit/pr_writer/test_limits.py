"""A process of ours takes no more memory than it may."""

import subprocess
import sys

PROGRAM = """
from countersign.pr_writer.jobs.limits import limit_memory
limit_memory(64 << 20)
held = bytearray(32 << 20)
try:
    bytearray(64 << 20)
except MemoryError:
    print("refused")
"""


def test_memory_beyond_the_limit_is_refused_and_less_is_given() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True, timeout=60
    )

    assert done.stdout == "refused\n"
