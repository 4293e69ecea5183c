"""A directory of YAML that plays the cluster: watched by inotify, and re-read now and then.

Hidden files are not looked at; the watcher keeps its own there.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

from watchfiles import Change, awatch

from countersign.kube.flux.rules import Record, read_object
from countersign.kube.objects import ObjectKey
from countersign.telemetry.logs import get_logger
from countersign.watcher.interfaces import Changes, Deliver, Sleep
from countersign.watcher.model import FileProblem
from countersign.watcher.reading.manifest_files import (
    SUFFIXES,
    ManifestFile,
    Read,
    Signature,
    read_file,
    signature_of,
)

log = get_logger()

FILES_MAX: Final = 100_000
# A file is read when nothing has happened for that long: writers who do not rename write in
# several steps.
QUIET_MS: Final = 10
# A directory in which something always happens is read at least that often.
PATIENCE_MS: Final = 100
# How soon is noticed what changed between the first reading and the first watch.
WAKE_MS: Final = 1000
_SUFFIXES: Final = tuple(sorted(SUFFIXES))
# Beyond that many files, reading goes to a thread, so that the bus is served meanwhile.
INLINE_MAX: Final = 8


class Directory:
    """Files, and the objects that they hold together."""

    def __init__(
        self,
        root: Path,
        *,
        reread_s: float,
        read: Read = read_object,
        monotonic_s: Callable[[], float],
        sleep: Sleep,
    ) -> None:
        self._root = root.absolute()
        self._reread_s = reread_s
        self._read = read
        self._monotonic_s = monotonic_s
        self._sleep = sleep
        self._files: dict[Path, ManifestFile] = {}
        self._holders: dict[ObjectKey, set[Path]] = {}
        self._listing_problem = ""

    def path_of(self, key: ObjectKey) -> Path | None:
        """The file that an object is in."""
        holders = self._holders.get(key)
        return min(holders) if holders else None

    async def follow(self, deliver: Deliver) -> None:
        await deliver(await asyncio.to_thread(self.take))
        # What changed before the watch began is found by reading all once more, right away.
        read_at = self._monotonic_s() - self._reread_s
        async for paths in self._wakes():
            if paths is None or self._monotonic_s() - read_at >= self._reread_s:
                changes = await asyncio.to_thread(self.take)
                read_at = self._monotonic_s()
            elif not paths:
                continue
            elif len(paths) > INLINE_MAX:
                changes = await asyncio.to_thread(self.take, paths)
            else:
                changes = self.take(paths)
            await deliver(changes)

    def take(self, paths: Iterable[Path] | None = None) -> Changes:
        """Read those files, or with none given all that look different, and say what changed."""
        different = self._different() if paths is None else sorted(paths)
        touched: set[ObjectKey] = set()
        for path in different:
            touched |= set(self._files[path].records) if path in self._files else set()
        before = {key: self._effective(key) for key in touched}
        for path in different:
            touched |= self._reread(path)
        return self._changes(touched, before if paths is None else {})

    def _different(self) -> list[Path]:
        """Files that are not as they were read; those that are gone too."""
        # Text, because making a `Path` of each of thousands takes longer than asking for them.
        seen: dict[str, Signature] = {}
        try:
            for entry in _walk(self._root):
                seen[entry.path] = signature_of(entry.stat())
                if len(seen) >= FILES_MAX:
                    self._listing_problem = f"holds more than {FILES_MAX} files"
                    break
            else:
                self._listing_problem = ""
        except OSError as error:
            # Absent is not empty: what was known is kept.
            self._listing_problem = f"cannot be listed: {error.strerror}"
            log.warning("directory.unlisted", path=str(self._root), reason=error.strerror)
            return []
        read = {os.fspath(path): file.signature for path, file in self._files.items()}
        gone = [] if self._listing_problem else [path for path in read if path not in seen]
        changed = [path for path, found in seen.items() if read.get(path) != found]
        return [Path(path) for path in gone + changed]

    def _reread(self, path: Path) -> set[ObjectKey]:
        before = self._files.get(path)
        now = read_file(path, before=before, read=self._read)
        old = set(before.records) if before else set()
        new = set(now.records) if now else set()
        for key in old - new:
            self._holders[key].discard(path)
            if not self._holders[key]:
                del self._holders[key]
        for key in new - old:
            self._holders.setdefault(key, set()).add(path)
        if now is None:
            self._files.pop(path, None)
        else:
            self._files[path] = now
            self._tell(path, before=before, now=now)
        return old | new

    def _tell(self, path: Path, *, before: ManifestFile | None, now: ManifestFile) -> None:
        where = str(path.relative_to(self._root))
        known = before.problem if before else ""
        if now.problem and now.problem != known:
            log.warning("directory.file_unreadable", path=where, reason=now.problem)
        elif known and not now.problem:
            log.info("directory.file_readable", path=where)
        if now.ignored and (before is None or before.ignored != now.ignored):
            log.info("directory.documents_ignored", path=where, documents=now.ignored)

    def _effective(self, key: ObjectKey) -> Record | None:
        path = self.path_of(key)
        return self._files[path].records.get(key) if path else None

    def _changes(self, touched: set[ObjectKey], before: dict[ObjectKey, Record | None]) -> Changes:
        now = {key: self._effective(key) for key in touched}
        return Changes(
            changed={
                key: record
                for key, record in now.items()
                if record is not None and before.get(key) is not record
            },
            removed=frozenset(key for key, record in now.items() if record is None),
            problems=tuple(self._problems()),
            complete=not self._listing_problem
            and all(f.was_good or not f.problem for f in self._files.values()),
        )

    def _problems(self) -> Iterator[FileProblem]:
        if self._listing_problem:
            keys = frozenset(self._holders)
            yield FileProblem(path=str(self._root), message=self._listing_problem, keys=keys)
        for path, file in self._files.items():
            if file.problem:
                where = str(path.relative_to(self._root))
                yield FileProblem(path=where, message=file.problem, keys=frozenset(file.records))
        for path, doubled in self._doubled().items():
            where = str(path.relative_to(self._root))
            message = f"{min(doubled)} is in another file too, which counts instead"
            yield FileProblem(path=where, message=message, keys=frozenset(doubled))

    def _doubled(self) -> dict[Path, set[ObjectKey]]:
        found: dict[Path, set[ObjectKey]] = {}
        for key, holders in self._holders.items():
            if len(holders) > 1:
                for path in sorted(holders)[1:]:
                    found.setdefault(path, set()).add(key)
        return found

    async def _wakes(self) -> AsyncIterator[frozenset[Path] | None]:
        """Files that changed; nothing now and then; none where only a full reading helps."""
        while True:
            try:
                async for batch in awatch(
                    self._root,
                    watch_filter=self._is_ours,
                    debounce=PATIENCE_MS,
                    step=QUIET_MS,
                    rust_timeout=WAKE_MS,
                    yield_on_timeout=True,
                ):
                    yield self._files_of(batch)
            except (OSError, RuntimeError) as error:
                # No inotify watch is left, or the directory is gone: it is read as a whole until
                # that gets better.
                log.warning("directory.unwatched", path=str(self._root), reason=str(error))
            await self._sleep(WAKE_MS / 1000)
            yield None

    def _is_ours(self, _change: Change, path: str) -> bool:
        try:
            parts = Path(path).relative_to(self._root).parts
        except ValueError:
            return False
        return not any(part.startswith(".") for part in parts)

    def _files_of(self, batch: set[tuple[Change, str]]) -> frozenset[Path] | None:
        paths = frozenset(Path(path) for _, path in batch)
        if all(path.suffix in SUFFIXES for path in paths):
            return paths
        # A folder came, went or was renamed.
        return None


def _walk(root: Path) -> Iterator["os.DirEntry[str]"]:
    """Files with our suffixes, hidden ones and links to folders left out."""
    folders = [os.fspath(root)]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                elif entry.name.endswith(_SUFFIXES) and entry.is_file():
                    yield entry
