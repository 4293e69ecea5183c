"""Looks for delegated tokens where none may be: files, answers, environments, command lines.

Nobody outside the approval service and an executor knows a token, so none can be compared. The
forge therefore puts one random text, the canary, into every token that it issues, and tells it on
loopback; whatever holds a part of the canary, in any of the encodings below, holds a token.
"""

import base64
import os
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

from countersign.contracts.errors import Rejected
from countersign.local.refusals import LocalRefusal

GRAM_CHARACTERS: Final = 10
_CHUNK_BYTES: Final = 4 * 1024 * 1024


@dataclass(frozen=True)
class Find:
    """The place of a part of the canary, without its surroundings."""

    place: str
    encoding: str


class Scanner:
    """Searches bytes for any part of the canary in the encodings that things are kept in."""

    def __init__(self, canary: str) -> None:
        if len(canary) < GRAM_CHARACTERS:
            raise Rejected(
                LocalRefusal.BAD_CANARY, f"a canary has at least {GRAM_CHARACTERS} characters"
            )
        self._needles = dict(_needles(canary))
        longest = max(map(len, self._needles))
        self._overlap = longest - 1
        self._pattern = re.compile(b"|".join(map(re.escape, self._needles)), re.IGNORECASE)
        self.bytes_read = 0
        self.places = 0
        self.closed = 0

    def search(self, content: bytes, place: str) -> Iterator[Find]:
        self.bytes_read += len(content)
        self.places += 1
        found = self._pattern.search(content)
        if found is not None:
            yield Find(place, self._encoding(found[0]))

    def search_file(self, path: Path) -> Iterator[Find]:
        """Search a file; yield at most its first find.

        Raises:
            Rejected: `unreadable`; what cannot be read cannot be cleared.

        """
        self.places += 1
        try:
            with path.open("rb") as file:
                found = self._first(iter(lambda: file.read(_CHUNK_BYTES), b""))
            if found is None and path.parent.parent.name == "objects":
                # git compresses its objects, and nothing else here is compressed.
                found = self._first([zlib.decompress(path.read_bytes())])
        except (FileNotFoundError, ProcessLookupError):
            return  # gone since it was listed
        except zlib.error:
            return  # a pack or an index; what it holds came over HTTP, and that was searched
        except OSError as error:
            raise Rejected(
                LocalRefusal.UNREADABLE, f"cannot read {path}: {error.strerror}"
            ) from error
        if found is not None:
            yield Find(str(path), found)

    def _first(self, chunks: Iterable[bytes]) -> str | None:
        tail = b""
        for chunk in chunks:
            self.bytes_read += len(chunk)
            found = self._pattern.search(tail + chunk)
            if found is not None:
                return self._encoding(found[0])
            tail = chunk[-self._overlap :]
        return None

    def search_tree(self, root: Path) -> Iterator[Find]:
        for folder, _, names in os.walk(root, onerror=_refuse):
            for name in names:
                path = Path(folder) / name
                yield from self.search(str(path).encode(), f"name of {path}")
                if path.is_file() and not path.is_symlink():
                    yield from self.search_file(path)

    def search_processes(self, pids: Iterable[int]) -> Iterator[Find]:
        """Environment and command line of these processes and all their descendants.

        Raises:
            Rejected: `unreadable`; but to who is not root the environment of a process that may
                not be dumped is closed, which is counted in `closed` instead.

        """
        for pid in sorted(with_descendants(pids)):
            yield from self.search_file(Path(f"/proc/{pid}/cmdline"))
            try:
                yield from self.search_file(Path(f"/proc/{pid}/environ"))
            except Rejected:
                if os.geteuid() == 0:
                    raise
                self.closed += 1

    def _encoding(self, found: bytes) -> str:
        return next(e for n, e in self._needles.items() if n.lower() == found.lower())


def _needles(canary: str) -> Iterator[tuple[bytes, str]]:
    for start in range(len(canary) - GRAM_CHARACTERS + 1):
        gram = canary[start : start + GRAM_CHARACTERS]
        yield gram.encode(), "plain"
        yield gram[::-1].encode(), "reversed"
        yield gram.encode().hex().encode(), "hexadecimal"
        yield gram.encode("utf-16-le"), "UTF-16"
        yield quote("".join(f"%{ord(c):02X}" for c in gram), safe="%").encode(), "percent"
    whole = canary.encode()
    for shift in range(3):
        # Base64 of the canary at each place within a group of three bytes; its edges depend on
        # what stands beside it and are left out.
        text = base64.b64encode(b"\x00" * shift + whole).rstrip(b"=")
        inner = text[4 if shift else 0 : -4]
        yield inner, "base64"
        yield base64.b64encode(inner)[4:-4], "base64 twice"


def _refuse(error: OSError) -> None:
    raise Rejected(
        LocalRefusal.UNREADABLE, f"cannot read {error.filename}: {error.strerror}"
    ) from error


def with_descendants(pids: Iterable[int]) -> set[int]:
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (parent := _parent(entry)) is not None:
            parents[int(entry.name)] = parent
    found = {pid for pid in pids if pid in parents}
    while more := {p for p, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def _parent(entry: Path) -> int | None:
    try:
        stat = (entry / "stat").read_text()
    except OSError:
        return None
    # The name is in parentheses and may hold anything.
    return int(stat.rpartition(")")[2].split()[1])
