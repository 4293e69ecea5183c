"""Memory of repositories between jobs: by object id, the markers that are held."""

from typing import Final

from countersign.contracts.bounds.dictionaries import BoundedDict
from countersign.pr_writer.jobs.model import Job
from countersign.pr_writer.jobs.outcomes import Known

REPOSITORIES_MAX: Final = 64
OBJECTS_MAX: Final = 20_000
FILES_MAX: Final = 5_000

_Key = tuple[str, str, str, str]


class Memory:
    """The most recently used repositories, each with its most recently seen objects."""

    def __init__(self) -> None:
        self._known: BoundedDict[_Key, Known] = BoundedDict(REPOSITORIES_MAX)

    def recall(self, job: Job) -> Known:
        key = _key(job)
        if key in self._known:
            self._known.touch(key)
        return self._known.get(key, Known())

    def learn(self, job: Job, learned: Known) -> None:
        if not learned.markers:
            return
        key = _key(job)
        before = self._known.pop(key, Known())
        # What was just seen goes last, so that it is kept longest.
        old = {oid: held for oid, held in before.markers.items() if oid not in learned.markers}
        markers = list((old | learned.markers).items())[-OBJECTS_MAX:]
        files = list((before.files | learned.files).items())[-FILES_MAX:]
        large = {*before.large, *learned.large}.intersection(dict(files).values())
        self._known[key] = Known(
            markers=dict(markers), files=dict(files), large=tuple(sorted(large))
        )


def _key(job: Job) -> _Key:
    to = job.request.destination
    return to.origin, to.owner, to.repository, to.path
