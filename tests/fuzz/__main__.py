"""Draws other examples for every property, round by round with a new seed, until the time is over.

Run by `make fuzz`; a seed that is printed is given again by `pytest --hypothesis-seed`.
"""

import os
import secrets
import subprocess
import sys
import time
from typing import Final

FOLDERS: Final = ("tests/unit", "tests/contracts")
SEED_BITS: Final = 32


def main() -> int:
    end_s = time.monotonic() + 60 * float(os.environ["COUNTERSIGN_FUZZ_MINUTES"])
    while True:
        seed = secrets.randbits(SEED_BITS)
        print(f"seed {seed}", flush=True)
        command = (sys.executable, "-m", "pytest", "-q", "-n", "auto", "-m", "property")
        ended = subprocess.run((*command, f"--hypothesis-seed={seed}", *FOLDERS), check=False)
        if ended.returncode or time.monotonic() > end_s:
            return ended.returncode


if __name__ == "__main__":
    sys.exit(main())
