"""Pages, folders and files at Bitbucket Data Center, as conversations without I/O."""

from collections.abc import Mapping, Sequence
from typing import Final

from countersign.contracts.errors import Rejected
from countersign.dialects import shapes
from countersign.dialects.bitbucket_server import answers, requests
from countersign.dialects.conversation import Conversation
from countersign.dialects.exchange import Answer, Request
from countersign.dialects.refusals import ForgeRefusal
from countersign.dialects.repositories.contents import (
    File,
    Folder,
    Place,
    Tip,
    TreeEntry,
    folders_of,
)
from countersign.dialects.repositories.paging import Paging
from countersign.dialects.repositories.questions import BATCH, Ask, Wanted, batches

# A call for each folder, and for each further page of one.
FOLDERS_MAX: Final = 3_000


PAGING: Final = Paging(after=lambda pages: answers.next_start(pages[-1].json()))


def list_tree(
    ask: Ask, place: Place, *, commit: str, path: str
) -> Conversation[tuple[TreeEntry, ...] | None]:
    """Go through the folders, many at a time; a list of all files would tell no ids."""
    found: list[TreeEntry] = []
    todo, calls = [(path, 0)], 0
    while todo:
        batch, todo = todo[:BATCH], todo[BATCH:]
        calls += len(batch)
        if calls > FOLDERS_MAX:
            raise Rejected(
                ForgeRefusal.LIMIT_EXCEEDED,
                f"repository {place.name!r} has more than {FOLDERS_MAX} folders; set a path in "
                "the Pipeline's strategy",
            )
        asked = yield from ask(
            *(requests.folder(place, commit=commit, path=p, start=start) for p, start in batch)
        )
        for (folder, _), answer in zip(batch, asked, strict=True):
            with shapes.reading("list files"):
                page = answers.folder_in(answer, path=folder)
            if page is None:
                return None
            entries, start = page
            found += entries
            todo += [(e.path, 0) for e in entries if e.is_folder]
            todo += [(folder, start)] if start is not None else []
    return tuple(found)


def folder_questions(place: Place, base: Tip | None, paths: Sequence[str]) -> dict[str, Request]:
    """List folders at the base's commit, each by its path, and the root with them."""
    if base is None or not paths:
        return {}
    return {
        path: requests.folder(place, commit=base.commit, path=path) for path in sorted({"", *paths})
    }


def folders_in(told: Mapping[str, Answer], base: Tip | None) -> dict[str, Folder]:
    """Return those folders; the root has the commit's id.

    One that is not there, or has more than a page, is left out.
    """
    read = {path: answers.folder_in(answer, path=path) for path, answer in told.items()}
    listed = {path: tuple(page[0]) for path, page in read.items() if page and page[1] is None}
    return folders_of(listed, root=base.commit) if base else {}


def read_files(ask: Ask, place: Place, wanted: Wanted) -> Conversation[Mapping[str, File]]:
    """Read them by their paths."""
    found = {
        e.path: File(object_id=e.object_id, size_bytes=e.size_bytes)
        for e in wanted.files
        if e.size_bytes is not None and e.size_bytes > wanted.bytes_max
    }
    for batch in batches([e for e in wanted.files if e.path not in found]):
        asked = yield from ask(
            *(
                requests.file(place, commit=wanted.commit, path=e.path, bytes_max=wanted.bytes_max)
                for e in batch
            )
        )
        for entry, answer in zip(batch, asked, strict=True):
            size_bytes = entry.size_bytes or 0
            file = answers.file_in(answer, size_bytes=size_bytes, bytes_max=wanted.bytes_max)
            if file is not None and entry.object_id in {"", file.object_id}:
                found[entry.path] = file
    return found
