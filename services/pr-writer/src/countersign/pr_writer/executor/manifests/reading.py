"""Reads what may hold markers, in as few requests as what is known allows."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Final

from countersign.contracts.messages import FailureDetail
from countersign.dialects.repositories.contents import File, Tip, TreeEntry
from countersign.dialects.repositories.interface import Repository, View
from countersign.pr_writer.executor.manifests import survey
from countersign.pr_writer.executor.manifests.editing import NEAR_MISS
from countersign.pr_writer.executor.manifests.survey import Survey
from countersign.pr_writer.executor.sightings import place_of
from countersign.pr_writer.jobs.files import FILE_BYTES_MAX, SMALL_BYTES_MAX
from countersign.pr_writer.jobs.model import OpenJob
from countersign.pr_writer.jobs.refusals import JobRefusal, JobRejected

# Of large files, in one job: some seconds of a forge's time.
LARGE_BYTES_MAX: Final = 24 * 1024 * 1024
# Each is there several times while it is read: as it was sent, as text, as bytes.
LARGE_AT_ONCE: Final = 2


async def read_candidates(
    forge: Repository, job: OpenJob, *, view: View, base: Tip
) -> tuple[Survey, Mapping[str, bytes]]:
    """Return what was surveyed, and the bytes of each file to be searched, by path.

    Raises:
        Rejected: `no_marker` where the Pipeline's folder is not there, `limit_exceeded`.

    """
    place, key, root = place_of(job), job.request.marker_key, job.request.destination.path
    surveyed = survey.walk(view, job.known, key=key, root=root)
    if not surveyed.complete:
        listed = await forge.list_tree(place, commit=base.commit, path=root)
        if listed is None:
            raise JobRejected(
                JobRefusal.NO_MARKER,
                f"there is no folder {root!r} on branch {place.base_branch!r} of {place.name!r}",
                detail=FailureDetail.FOLDER_MISSING,
                path=root,
            )
        surveyed = survey.choose(listed, job.known, key=key)
    there = {
        e.path: view.files[e.path]
        for e in (*surveyed.read, *surveyed.large)
        if e.object_id and e.path in view.files and view.files[e.path].object_id == e.object_id
    }
    missing = [e for e in surveyed.read if not _is_told(there.get(e.path))]
    if missing:
        there |= await forge.read_files(
            place, commit=base.commit, files=missing, bytes_max=SMALL_BYTES_MAX
        )
    bodies = {path: file.body for path, file in there.items() if file.body is not None}
    # Where the listing told no sizes.
    told = [
        replace(e, size_bytes=there[e.path].size_bytes)
        for e in surveyed.read
        if e.path in there and e.path not in bodies
    ]
    surveyed = survey.with_sizes(surveyed, told)
    large = tuple(e for e in surveyed.large if e.path not in bodies)
    surveyed, more = await _read_large(
        forge, job, surveyed=replace(surveyed, large=large), commit=base.commit
    )
    return surveyed, bodies | more


async def _read_large(
    forge: Repository, job: OpenJob, *, surveyed: Survey, commit: str
) -> tuple[Survey, dict[str, bytes]]:
    """Read large files as far as a job may; of what has no marker no bytes are kept."""
    waiting = survey.in_order(surveyed.large, job.known, key=job.request.marker_key)
    too_large = list(surveyed.too_large)
    bodies: dict[str, bytes] = {}
    spent_bytes = 0
    while few := _fitting(waiting, bytes_max=LARGE_BYTES_MAX - spent_bytes):
        waiting = waiting[len(few) :]
        found = await forge.read_files(
            place_of(job), commit=commit, files=few, bytes_max=FILE_BYTES_MAX
        )
        spent_bytes += sum(file.size_bytes for file in found.values())
        too_large += [e for e in few if e.path in found and found[e.path].body is None]
        read = {path: file.body for path, file in found.items() if file.body is not None}
        bodies |= {path: body if NEAR_MISS in body else b"" for path, body in read.items()}
    return replace(surveyed, too_large=tuple(too_large), postponed=tuple(waiting)), bodies


def _fitting(waiting: Sequence[TreeEntry], *, bytes_max: int) -> list[TreeEntry]:
    few = waiting[:LARGE_AT_ONCE]
    sums = accumulate(e.size_bytes or 0 for e in few)
    return [e for e, size_bytes in zip(few, sums, strict=True) if size_bytes <= bytes_max]


def _is_told(file: File | None) -> bool:
    """Return whether a file is read, or known to be large."""
    return file is not None and (file.body is not None or file.size_bytes > SMALL_BYTES_MAX)
