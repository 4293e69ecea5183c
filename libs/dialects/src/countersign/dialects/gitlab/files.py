"""Trees and files at GitLab, as conversations without I/O."""

from collections.abc import Mapping, Sequence
from typing import Final

from countersign.contracts.errors import Rejected
from countersign.dialects import shapes
from countersign.dialects.conversation import Conversation
from countersign.dialects.exchange import OK
from countersign.dialects.gitlab import answers, requests
from countersign.dialects.refusals import ForgeRefusal
from countersign.dialects.repositories.contents import (
    File,
    Folder,
    Place,
    Tip,
    TreeEntry,
    folders_of,
)
from countersign.dialects.repositories.questions import Ask, Wanted, batches

# Thirty thousand files.
TREE_PAGES_MAX: Final = 300


def list_tree(
    ask: Ask, place: Place, *, commit: str, path: str
) -> Conversation[tuple[TreeEntry, ...] | None]:
    """List all pages; side by side where the first says how many there are."""
    (first,) = yield from ask(requests.tree(place, commit=commit, path=path, recursive=True))
    if first.status != OK:
        # Newer versions say so, older ones list nothing.
        return None
    pages = [first]
    last = answers.last_page(first)
    if last is not None:
        _refuse_many(last, place)
        for batch in batches(range(2, last + 1)):
            pages += yield from ask(
                *(
                    requests.tree(place, commit=commit, path=path, recursive=True, page=page)
                    for page in batch
                )
            )
    while last is None and (page := answers.next_page(pages[-1])) is not None:
        _refuse_many(page, place)
        asked = requests.tree(place, commit=commit, path=path, recursive=True, page=page)
        pages += yield from ask(asked)
    with shapes.reading("list files"):
        found = tuple(entry for page in pages for entry in answers.entries_in(page))
    # Git has no empty folders.
    return found if found or not path else None


def _refuse_many(pages: int, place: Place) -> None:
    if pages > TREE_PAGES_MAX:
        raise Rejected(
            ForgeRefusal.LIMIT_EXCEEDED,
            f"repository {place.name!r} has more than {TREE_PAGES_MAX * requests.PER_PAGE} files "
            "and folders; set a path in the Pipeline's strategy",
        )


def folders(
    ask: Ask, place: Place, base: Tip | None, paths: Sequence[str]
) -> Conversation[dict[str, Folder]]:
    """List folders at the base's commit, each by its path; the root has the commit's id.

    One that is not there, or has more than a page, is left out.
    """
    if base is None or not paths:
        return {}
    wanted = sorted({"", *paths})
    asked = yield from ask(
        *(requests.tree(place, commit=base.commit, path=p, recursive=False) for p in wanted)
    )
    with shapes.reading("list files"):
        found = {
            path: answers.entries_in(answer)
            for path, answer in zip(wanted, asked, strict=True)
            if answer.status == OK and answers.next_page(answer) is None
        }
    return folders_of(found, root=base.commit)


def read_files(ask: Ask, place: Place, wanted: Wanted) -> Conversation[Mapping[str, File]]:
    """Read them by their paths; GitLab gives a blob by its id only without its name's proof."""
    found: dict[str, File] = {}
    for batch in batches(wanted.files):
        asked = yield from ask(
            *(
                requests.file(place, path=entry.path, ref=wanted.commit, bytes_max=wanted.bytes_max)
                for entry in batch
            )
        )
        with shapes.reading("read a file"):
            for entry, answer in zip(batch, asked, strict=True):
                file = answers.file_in(answer, bytes_max=wanted.bytes_max)
                if file is not None and entry.object_id in {"", file.object_id}:
                    found[entry.path] = file
    return found
