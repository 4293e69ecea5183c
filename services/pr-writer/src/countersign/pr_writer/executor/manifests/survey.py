"""Chooses the files of a repository to read: as few as what is known allows. Pure.

A folder or file whose object id is known holds what it held, so only what changed is read. Where
a forge gives no object ids, nothing is remembered and every file is read again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from countersign.contracts.errors import Rejected
from countersign.dialects.repositories.contents import TreeEntry
from countersign.dialects.repositories.interface import View
from countersign.pr_writer.jobs.files import (
    FILE_BYTES_MAX,
    SMALL_BYTES_MAX,
    is_candidate,
    is_misspelt,
)
from countersign.pr_writer.jobs.markers import suffix_of
from countersign.pr_writer.jobs.outcomes import Known
from countersign.pr_writer.jobs.refusals import JobRefusal

CANDIDATES_MAX: Final = 2_000
CANDIDATE_BYTES_MAX: Final = 24 * 1024 * 1024
KNOWN_FILES_MAX: Final = 50
FOLDERS_MAX: Final = 100
LEARNED_MAX: Final = 20_000


@dataclass(frozen=True, kw_only=True)
class Survey:
    """The files that a listing leaves to read: they may hold our markers, or are not known yet.

    `large` are read a few at a time, `too_large` are not looked into, and `postponed` are left for
    a job that has less to read. Incomplete where a folder's lines are not known.
    """

    read: tuple[TreeEntry, ...]
    seen: tuple[TreeEntry, ...]
    complete: bool
    large: tuple[TreeEntry, ...] = ()
    too_large: tuple[TreeEntry, ...] = ()
    postponed: tuple[TreeEntry, ...] = ()

    @property
    def skipped(self) -> tuple[str, ...]:
        """The paths of what is not looked into."""
        return tuple(e.path for e in (*self.too_large, *self.postponed))


def is_ours(markers: Iterable[str], key: str) -> bool:
    return any(suffix_of(marker, key=key) is not None for marker in markers)


def folders_to_see(known: Known, *, key: str, root: str) -> tuple[str, ...]:
    """Folders on the way to the root of what is looked at, and to the files that hold our key."""
    ours = _ours(known, key=key)
    paths = [root, *ours] if root else ours
    chains = {"/".join(path.split("/")[:n]) for path in paths for n in range(path.count("/") + 1)}
    return tuple(sorted(chains | ({root} if root else set())))[:FOLDERS_MAX]


def known_files(known: Known, *, key: str) -> tuple[str, ...]:
    """Files that held our key when they were last read, and can come with a look."""
    return tuple(p for p in _ours(known, key=key) if known.files[p] not in known.large)


def _ours(known: Known, *, key: str) -> list[str]:
    ours = [p for p, oid in known.files.items() if is_ours(known.markers.get(oid, ()), key)]
    return sorted(ours)[:KNOWN_FILES_MAX]


def walk(view: View, known: Known, *, key: str, root: str) -> Survey:
    """Go through the folders that came with the view, from the base's own tree down."""
    candidates: list[TreeEntry] = []
    seen: list[TreeEntry] = []
    complete = bool(view.base) and "" in view.folders
    stack = [view.folders[""]] if complete else []
    while stack:
        for entry in stack.pop().entries:
            if not _is_inside(entry, root):
                continue
            seen.append(entry)
            markers = _known_markers(entry, known)
            if markers is not None and not is_ours(markers, key):
                continue
            below = view.folders.get(entry.path)
            if entry.is_folder and below is not None and below.object_id == entry.object_id != "":
                stack.append(below)
            elif entry.is_folder:
                complete = False
            elif entry.is_file and is_candidate(entry.path):
                candidates.append(entry)
    return _by_size(candidates, seen=tuple(seen), complete=complete)


def _is_inside(entry: TreeEntry, root: str) -> bool:
    if not root or entry.path.startswith(f"{root}/") or entry.path == root:
        return True
    return entry.is_folder and root.startswith(f"{entry.path}/")


def choose(entries: Iterable[TreeEntry], known: Known, *, key: str) -> Survey:
    """Go through a whole listing.

    Raises:
        Rejected: `limit_exceeded`; says what to do.

    """
    seen = tuple(entries)
    candidates = [
        e
        for e in seen
        if e.is_file
        and is_candidate(e.path)
        and ((markers := _known_markers(e, known)) is None or is_ours(markers, key))
    ]
    found = _by_size(candidates, seen=seen, complete=True)
    count = len(found.read) + len(found.large)
    size_bytes = sum(e.size_bytes or 0 for e in found.read)
    if count > CANDIDATES_MAX or size_bytes > CANDIDATE_BYTES_MAX:
        raise Rejected(
            JobRefusal.LIMIT_EXCEEDED,
            f"{count} YAML files would have to be read, more than {CANDIDATES_MAX} files or "
            f"{CANDIDATE_BYTES_MAX >> 20} MiB; set a path in the Pipeline's strategy",
        )
    return found


def _by_size(
    candidates: Iterable[TreeEntry], *, seen: tuple[TreeEntry, ...], complete: bool
) -> Survey:
    """Divide them; where a listing tells no sizes, reading tells them."""
    sized = [(e, e.size_bytes or 0) for e in candidates]
    return Survey(
        read=tuple(e for e, size in sized if size <= SMALL_BYTES_MAX),
        seen=seen,
        complete=complete,
        large=tuple(e for e, size in sized if SMALL_BYTES_MAX < size <= FILE_BYTES_MAX),
        too_large=tuple(e for e, size in sized if size > FILE_BYTES_MAX),
    )


def with_sizes(survey: Survey, told: Sequence[TreeEntry]) -> Survey:
    """Return the survey with files that turned out to be larger than they were read."""
    large = [e for e in told if (e.size_bytes or 0) <= FILE_BYTES_MAX]
    too_large = [e for e in told if (e.size_bytes or 0) > FILE_BYTES_MAX]
    return replace(
        survey,
        large=(*survey.large, *large),
        too_large=(*survey.too_large, *too_large),
    )


def in_order(large: Iterable[TreeEntry], known: Known, *, key: str) -> list[TreeEntry]:
    """Order large files by what is to be read first: those of ours, then small ones."""

    def rank(entry: TreeEntry) -> tuple[bool, int, str]:
        ours = is_ours(_known_markers(entry, known) or (), key)
        return not ours, entry.size_bytes or 0, entry.path

    return sorted(large, key=rank)


def _known_markers(entry: TreeEntry, known: Known) -> tuple[str, ...] | None:
    """Return what it holds by what is remembered; none where that is not known."""
    return known.markers.get(entry.object_id) if entry.object_id else None


def unread(survey: Survey) -> tuple[str, ...]:
    """Return notes about files that people take for YAML, and that Flux does not read either."""
    return tuple(
        f"{e.path!r} is not read; name it .yaml" for e in survey.seen if is_misspelt(e.path)
    )


def learn(survey: Survey, found: Mapping[str, tuple[str, ...]], known: Known) -> Known:
    """Return what is known after reading: by id, the markers of files and below folders.

    Only of a complete survey can be said what a folder holds.
    """
    markers: dict[str, tuple[str, ...]] = {}
    by_path: dict[str, set[str]] = {e.path: set() for e in survey.seen if e.is_folder}
    unsure: set[str] = set()
    files: dict[str, str] = {}
    for entry in survey.seen:
        held = found.get(entry.path, _known_markers(entry, known))
        is_candidate_file = entry.is_file and is_candidate(entry.path)
        if is_candidate_file and held is None:
            unsure.update(_parents(entry.path))
        if held is None or not (is_candidate_file or entry.is_folder):
            continue
        # A folder that was not descended into is one of which is known what it holds.
        own = (entry.path,) if entry.is_folder else ()
        for folder in (*own, *_parents(entry.path)):
            by_path.setdefault(folder, set()).update(held)
        if entry.is_file and entry.object_id:
            markers[entry.object_id] = held
            files |= {entry.path: entry.object_id} if held else {}
    for entry in survey.seen:
        is_known = survey.complete and entry.path not in unsure
        if entry.is_folder and entry.object_id and is_known:
            markers[entry.object_id] = tuple(sorted(by_path[entry.path]))
    kept = dict(list(markers.items())[:LEARNED_MAX])
    large = {e.object_id for e in survey.large}.intersection(files.values())
    return Known(markers=kept, files=files, large=tuple(sorted(large)))


def _parents(path: str) -> tuple[str, ...]:
    parts = path.split("/")[:-1]
    return tuple("/".join(parts[: n + 1]) for n in range(len(parts)))
