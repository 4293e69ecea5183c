"""Findings of a parser in a file, as they go between the processes."""

from pydantic import BaseModel, ConfigDict

from countersign.pr_writer.jobs.markers import Marked, Markers, Misplaced, Misplacement


class Place(BaseModel):
    """A `Marked` on its way between the processes."""

    model_config = ConfigDict(frozen=True)

    start: int
    end: int
    style: str
    marker: str
    line: int


class Found(BaseModel):
    """The markers of one file, or the reason why it could not be read."""

    model_config = ConfigDict(frozen=True)

    marked: tuple[Place, ...] = ()
    misplaced: tuple[tuple[str, int, Misplacement], ...] = ()
    reason: str = ""
    message: str = ""

    @property
    def markers(self) -> Markers:
        return Markers(
            tuple(Marked(**p.model_dump()) for p in self.marked),
            tuple(Misplaced(marker=m, line=n, reason=r) for m, n, r in self.misplaced),
        )
