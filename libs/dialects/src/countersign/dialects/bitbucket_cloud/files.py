"""Trees and files at Bitbucket Cloud, as conversations without I/O."""

from collections.abc import Mapping
from typing import Final

from countersign.dialects import shapes
from countersign.dialects.bitbucket_cloud import answers, requests
from countersign.dialects.conversation import Conversation
from countersign.dialects.exchange import OK, Request
from countersign.dialects.repositories.contents import File, Place, TreeEntry
from countersign.dialects.repositories.paging import Paging
from countersign.dialects.repositories.questions import Ask, Wanted, batches

# One after the other, since each names the next: ten thousand files.
PAGES_MAX: Final = 100


# Each page names the next.
PAGING: Final = Paging(after=lambda pages: answers.next_page(pages[-1]) or None)


def list_tree(
    ask: Ask, place: Place, *, commit: str, path: str
) -> Conversation[tuple[TreeEntry, ...] | None]:
    def more(after: str) -> Request:
        return requests.tree(place, commit=commit, path=path, after=after)

    (first,) = yield from ask(more(""))
    if first.status != OK:
        return None
    excess = (
        f"repository {place.name!r} has more than {PAGES_MAX * requests.PER_PAGE} files and "
        "folders; set a path in the Pipeline's strategy"
    )
    listed = yield from PAGING.read(ask, first, more, most=PAGES_MAX, excess=excess)
    with shapes.reading("list files"):
        return answers.entries_in(listed)


def read_files(ask: Ask, place: Place, wanted: Wanted) -> Conversation[Mapping[str, File]]:
    """Read them by their paths; what was not listed is first asked if it is a file."""
    known = [e for e in wanted.files if e.size_bytes is not None]
    known += yield from _looked_at(ask, place, wanted)
    found = {
        e.path: File(object_id="", size_bytes=e.size_bytes or 0)
        for e in known
        if (e.size_bytes or 0) > wanted.bytes_max
    }
    for batch in batches([e for e in known if e.path not in found]):
        asked = yield from ask(
            *(
                requests.file(place, commit=wanted.commit, path=e.path, bytes_max=wanted.bytes_max)
                for e in batch
            )
        )
        for entry, answer in zip(batch, asked, strict=True):
            size_bytes = entry.size_bytes or 0
            file = answers.file_in(answer, size_bytes=size_bytes, bytes_max=wanted.bytes_max)
            if file is not None:
                found[entry.path] = file
    told = {e.path: e.object_id for e in wanted.files}
    return {p: f for p, f in found.items() if not told[p] or told[p] == f.object_id}


def _looked_at(ask: Ask, place: Place, wanted: Wanted) -> Conversation[list[TreeEntry]]:
    found: list[TreeEntry] = []
    for batch in batches([e for e in wanted.files if e.size_bytes is None]):
        asked = yield from ask(
            *(requests.entry(place, commit=wanted.commit, path=e.path) for e in batch)
        )
        with shapes.reading("look at a file"):
            told = [answers.entry_of(a.json()) for a in asked if a.status == OK]
        found += [entry for entry in told if entry.is_file]
    return found
