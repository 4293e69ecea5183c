"""Edits many files: asks the parser where, writes the approved value, has it verified."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from countersign.contracts.errors import Rejected
from countersign.contracts.messages import FailureDetail, Revision
from countersign.contracts.revision import marker_value
from countersign.pr_writer.executor.manifests.parser_client import Parser
from countersign.pr_writer.executor.manifests.scalars import apply, values_at
from countersign.pr_writer.jobs.files import check_path
from countersign.pr_writer.jobs.markers import Marked, Misplacement, suffix_of
from countersign.pr_writer.jobs.refusals import JobRefusal, JobRejected

FILES_MAX: Final = 50  # SR-26
NEAR_MISS: Final = b"$promotion"


@dataclass(frozen=True, kw_only=True)
class Edits:
    """`files` are those that change, `places` how many values are ours, `markers` what all hold.

    `said` is by file what its values were, `unread` are those that no parser takes.
    """

    files: dict[str, bytes]
    places: int
    markers: dict[str, tuple[str, ...]]
    notes: tuple[str, ...]
    unread: tuple[str, ...] = ()
    said: dict[str, str] = field(default_factory=dict)


class Editor(Protocol):
    """Writes the approved value."""

    async def edit(self, bodies: Mapping[str, bytes], *, root: str) -> Edits: ...


class MarkerEditor:
    """An `Editor` of one revision at the markers of one key."""

    def __init__(self, parser: Parser, *, key: str, revision: Revision) -> None:
        self._parser = parser
        self._key = key
        self._revision = revision

    async def edit(self, bodies: Mapping[str, bytes], *, root: str) -> Edits:
        """Write the value at every marker of the key.

        Raises:
            Rejected: `no_marker` for one that is misplaced, `not_promotable`, `limit_exceeded`.

        """
        files: dict[str, bytes] = {}
        markers: dict[str, tuple[str, ...]] = dict.fromkeys(bodies, ())
        notes: list[str] = []
        unread: list[str] = []
        said: dict[str, str] = {}
        places = 0
        suspects = {path: body for path, body in bodies.items() if NEAR_MISS in body}
        found = await self._parser.find(suspects) if suspects else {}
        for path, result in found.items():
            if result.reason:
                notes.append(f"{path!r} is not read: {result.message[:120]}")
                unread.append(path)
                del markers[path]  # what it holds is not known, so the next job tells of it again
                continue
            markers[path] = result.markers.keys
            self._check_misplaced(path, result.misplaced)
            ours = [m for m in result.markers.marked if self._suffix(m.marker) is not None]
            if not ours:
                if not result.marked:
                    del markers[path]
                    notes.append(f"{path!r} has a `$promotion` comment that is not one JSON object")
                continue
            check_path(path, root=root)
            places += len(ours)
            after, changed = await self._write(bodies[path], ours)
            if changed:
                files[path], said[path] = after, values_at(bodies[path], changed)
        if len(files) > FILES_MAX:
            raise Rejected(
                JobRefusal.LIMIT_EXCEEDED, f"{len(files)} files would change, more than {FILES_MAX}"
            )
        return Edits(
            files=files,
            places=places,
            markers=markers,
            notes=tuple(notes),
            unread=tuple(unread),
            said=said,
        )

    async def _write(self, body: bytes, ours: list[Marked]) -> tuple[bytes, tuple[Marked, ...]]:
        suffixes = {self._suffix(m.marker) or "" for m in ours}
        values = {suffix: marker_value(self._revision, suffix) for suffix in suffixes}
        after, changed = apply(body, ours, key=self._key, values=values)
        if changed:
            await self._parser.verify(body, after, places=changed, key=self._key, values=values)
        return after, changed

    def _suffix(self, marker: str) -> str | None:
        return suffix_of(marker, key=self._key)

    def _check_misplaced(
        self, path: str, misplaced: tuple[tuple[str, int, Misplacement], ...]
    ) -> None:
        for marker, line, reason in misplaced:
            if self._suffix(marker) is not None:
                raise JobRejected(
                    JobRefusal.NO_MARKER,
                    f"the marker in {path!r}, line {line}, {reason.value}",
                    detail=FailureDetail.MARKER_UNUSABLE,
                    path=path,
                    line=line,
                )
