"""Trees and files at Gitea and Forgejo, as conversations without I/O."""

from collections.abc import Mapping
from typing import Final

from countersign.contracts.errors import Rejected
from countersign.dialects import shapes
from countersign.dialects.conversation import Conversation
from countersign.dialects.exchange import OK
from countersign.dialects.gitea import answers, requests
from countersign.dialects.refusals import ForgeRefusal
from countersign.dialects.repositories.contents import File, Place, TreeEntry
from countersign.dialects.repositories.questions import Ask, Wanted, batches

TREE_PAGES_MAX: Final = 100


def list_tree(
    ask: Ask, place: Place, *, commit: str, path: str
) -> Conversation[tuple[TreeEntry, ...] | None]:
    object_id = commit
    for depth, name in enumerate(path.split("/") if path else []):
        below = "".join(f"{part}/" for part in path.split("/")[:depth])
        entries = yield from _tree(ask, place, object_id, below=below, recursive=False)
        wanted = below + name
        folder = next((e for e in entries if e.path == wanted and e.is_folder), None)
        if folder is None:
            return None
        object_id = folder.object_id
    below = f"{path}/" if path else ""
    return (yield from _tree(ask, place, object_id, below=below, recursive=True))


def _tree(
    ask: Ask, place: Place, object_id: str, *, below: str, recursive: bool
) -> Conversation[tuple[TreeEntry, ...]]:
    entries: list[TreeEntry] = []
    for page in range(1, TREE_PAGES_MAX + 1):
        request = requests.tree(place, object_id=object_id, recursive=recursive, page=page)
        (answer,) = yield from ask(request)
        if answer.status != OK:
            raise Rejected(
                ForgeRefusal.NOT_FOUND, f"{place.name}: there is no object {object_id!r}"
            )
        with shapes.reading(request.name):
            nodes, more = answers.page_of(answer.json())
            entries.extend(answers.entry_of(node, below=below) for node in nodes)
        if not more:
            return tuple(entries)
    raise Rejected(
        ForgeRefusal.LIMIT_EXCEEDED,
        f"repository {place.name!r} has more than "
        f"{TREE_PAGES_MAX * requests.ENTRIES_PER_PAGE} files; "
        "set a path in the Pipeline's strategy",
    )


def read_files(ask: Ask, place: Place, wanted: Wanted) -> Conversation[Mapping[str, File]]:
    found = {
        entry.path: File(object_id=entry.object_id, size_bytes=entry.size_bytes)
        for entry in wanted.files
        if entry.object_id and entry.size_bytes is not None and entry.size_bytes > wanted.bytes_max
    }
    missing = [entry for entry in wanted.files if entry.path not in found]
    for batch in batches(missing):
        asked = yield from ask(
            *(
                requests.blob(place, entry.object_id, bytes_max=wanted.bytes_max)
                if entry.object_id
                else requests.file(
                    place, path=entry.path, ref=wanted.commit, bytes_max=wanted.bytes_max
                )
                for entry in batch
            )
        )
        with shapes.reading("read a file"):
            for entry, answer in zip(batch, asked, strict=True):
                if answer.is_cut:
                    size_bytes = max(entry.size_bytes or 0, wanted.bytes_max + 1)
                    found[entry.path] = File(object_id=entry.object_id, size_bytes=size_bytes)
                    continue
                body = answer.json() if answer.status == OK else None
                if body is not None and answers.is_file(body):
                    found[entry.path] = answers.file_of(body, bytes_max=wanted.bytes_max)
    return found


def leaves(ask: Ask, place: Place, commit: str) -> Conversation[dict[str, TreeEntry]]:
    entries = yield from _tree(ask, place, commit, below="", recursive=True)
    return {e.path: e for e in entries if not e.is_folder}
