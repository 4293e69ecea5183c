"""Reads what may hold markers, in as few requests as what is known allows."""

from collections.abc import Mapping
from dataclasses import replace

from countersign.contracts.messages import FailureDetail
from countersign.dialects.repositories.contents import Tip
from countersign.dialects.repositories.interface import Repository, View
from countersign.pr_writer.executor.manifests import survey
from countersign.pr_writer.executor.manifests.survey import Survey
from countersign.pr_writer.executor.sightings import place_of
from countersign.pr_writer.jobs.files import FILE_BYTES_MAX
from countersign.pr_writer.jobs.model import OpenJob
from countersign.pr_writer.jobs.refusals import JobRefusal, JobRejected


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
        e.path: view.files[e.path].body
        for e in surveyed.read
        if e.object_id and e.path in view.files and view.files[e.path].object_id == e.object_id
    }
    missing = [e for e in surveyed.read if there.get(e.path) is None]
    if missing:
        found = await forge.read_files(
            place, commit=base.commit, files=missing, bytes_max=FILE_BYTES_MAX
        )
        there |= {path: file.body for path, file in found.items()}
        # Where the listing told no sizes.
        large = [e for e in missing if e.path in found and found[e.path].body is None]
        surveyed = replace(surveyed, too_large=(*surveyed.too_large, *large))
    return surveyed, {path: body for path, body in there.items() if body is not None}
