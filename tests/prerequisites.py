"""Says what the tests need that no Python package brings, and how to get it. Installs nothing."""

import shutil
import sys
from dataclasses import dataclass


@dataclass(frozen=True)
class Prerequisite:
    """A program, the Debian package that brings it, and what cannot be tested without it."""

    programs: tuple[str, ...]
    package: str
    purpose: str
    required: bool


PREREQUISITES = (
    Prerequisite(("git",), "git", "repositories of the local forge", required=True),
    Prerequisite(
        ("chromium", "chromium-browser", "google-chrome"),
        "chromium",
        "tests that walk the pages as a person does",
        required=False,
    ),
    Prerequisite(("node",), "nodejs npm", "buf, which `make proto` runs", required=False),
)


def missing() -> tuple[Prerequisite, ...]:
    return tuple(p for p in PREREQUISITES if not any(map(shutil.which, p.programs)))


def main() -> int:
    absent = missing()
    for entry in absent:
        weight = "needed" if entry.required else "optional"
        sys.stdout.write(f"missing ({weight}): {entry.programs[0]}, for {entry.purpose}\n")
    if absent:
        packages = " ".join(entry.package for entry in absent)
        sys.stdout.write(f"  apt-get install --no-install-recommends {packages}\n")
    return 1 if any(entry.required for entry in absent) else 0


if __name__ == "__main__":
    sys.exit(main())
