"""Trees and files at Azure DevOps, as conversations without I/O.

A folder is listed by its id alone, and its id is asked for by its path.
"""

from collections.abc import Iterable, Mapping

from countersign.contracts.errors import Rejected
from countersign.dialects import shapes
from countersign.dialects.azure_devops import answers, requests
from countersign.dialects.conversation import Conversation
from countersign.dialects.exchange import OK, Answer
from countersign.dialects.refusals import ForgeRefusal
from countersign.dialects.repositories.contents import File, Folder, Place, TreeEntry
from countersign.dialects.repositories.questions import Ask, Wanted, batches


def list_tree(
    ask: Ask, place: Place, *, commit: str, path: str
) -> Conversation[tuple[TreeEntry, ...] | None]:
    (found,) = yield from ask(requests.entry(place, path, commit=commit))
    with shapes.reading("look at a path"):
        object_id = answers.object_in(found, kind="tree")
    if not object_id:
        return None
    (listed,) = yield from ask(requests.tree(place, object_id, recursive=True))
    if listed.is_cut:
        raise Rejected(
            ForgeRefusal.LIMIT_EXCEEDED,
            f"repository {place.name!r} has more files and folders than the "
            f"{requests.TREE_BYTES_MAX >> 20} MiB that one listing may take; set a path in the "
            "Pipeline's strategy",
        )
    if listed.status != OK:
        return None
    with shapes.reading("list files"):
        return answers.entries_in(listed, above=path)


def folders(
    ask: Ask, place: Place, found: Mapping[str, Answer], *, commit: str
) -> Conversation[dict[str, Folder]]:
    """List folders whose ids were asked for with a look, as far as they are of that commit."""
    with shapes.reading("look at a path"):
        ids = {
            path: object_id
            for path, answer in found.items()
            if answers.is_at(answer, commit)
            and (object_id := answers.object_in(answer, kind="tree"))
        }
    listed = yield from ask(
        *(requests.tree(place, object_id, recursive=False) for object_id in ids.values())
    )
    with shapes.reading("list files"):
        known = {
            path: answers.folder_in(answer, path=path, object_id=ids[path])
            for path, answer in zip(ids, listed, strict=True)
        }
    return {path: folder for path, folder in known.items() if folder is not None}


def entries_at(
    ask: Ask, place: Place, *, commit: str, paths: Iterable[str]
) -> Conversation[dict[str, TreeEntry]]:
    """Return what these paths are at a commit, with their modes, which trees alone tell."""
    wanted = set(paths)
    above = sorted({path.rpartition("/")[0] for path in wanted})
    asked = yield from ask(*(requests.entry(place, path, commit=commit) for path in above))
    found = yield from folders(ask, place, dict(zip(above, asked, strict=True)), commit=commit)
    entries = (entry for folder in found.values() for entry in folder.entries)
    return {entry.path: entry for entry in entries if entry.path in wanted}


def read_files(ask: Ask, place: Place, wanted: Wanted) -> Conversation[Mapping[str, File]]:
    """Read them by their ids; of what was not listed the id is asked for first."""
    unlisted = [e.path for e in wanted.files if not e.object_id]
    ids = {e.path: e.object_id for e in wanted.files if e.object_id}
    for batch in batches(unlisted):
        asked = yield from ask(
            *(requests.entry(place, path, commit=wanted.commit) for path in batch)
        )
        with shapes.reading("look at a path"):
            told = [answers.object_in(answer, kind="blob") for answer in asked]
        ids |= {p: object_id for p, object_id in zip(batch, told, strict=True) if object_id}
    sizes = {e.path: e.size_bytes or 0 for e in wanted.files}
    large = [path for path in ids if sizes[path] > wanted.bytes_max]
    found = {p: File(object_id=ids[p], size_bytes=sizes[p]) for p in large}
    small = [path for path in ids if path not in found]
    return found | (yield from _read(ask, place, wanted, {path: ids[path] for path in small}))


def _read(
    ask: Ask, place: Place, wanted: Wanted, ids: Mapping[str, str]
) -> Conversation[dict[str, File]]:
    found: dict[str, File] = {}
    for batch in batches(tuple(ids)):
        asked = yield from ask(
            *(requests.blob(place, ids[path], bytes_max=wanted.bytes_max) for path in batch)
        )
        with shapes.reading("read a file"):
            for path, answer in zip(batch, asked, strict=True):
                file = answers.file_in(
                    answer, size_bytes=0, bytes_max=wanted.bytes_max, object_id=ids[path]
                )
                if file is not None:
                    found[path] = file
    return found
