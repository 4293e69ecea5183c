"""Git repositories, read without a work tree: bare ones on this machine, others over HTTP.

Everything here blocks; callers run it in a thread.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dulwich.client import HTTPUnauthorized, get_transport_and_path
from dulwich.errors import GitProtocolError, HangupException, NotGitRepository
from dulwich.object_store import iter_tree_contents
from dulwich.objects import Blob, Commit, ObjectID, Tag
from dulwich.refs import Ref
from dulwich.repo import Repo

from countersign.contracts.errors import Rejected, Retryable
from countersign.local.cluster.objects import Json
from countersign.local.refusals import LocalRefusal

FILE_BYTES_MAX: Final = 1024 * 1024  # a manifest is a few kilobytes
FILES_MAX: Final = 5000
_HEXADECIMAL = frozenset("0123456789abcdef")
_COMMIT_CHARACTERS = 40


@dataclass(frozen=True)
class Checkout:
    """A commit, and the revision that Flux would print for it."""

    revision: str
    commit: str


class Repositories:
    """Opens repositories by URL or path.

    Args:
        mirrors: where what comes over HTTP is kept.
        replacements: prefix of a URL → folder that holds the same bare repositories.

    """

    def __init__(self, mirrors: Path, replacements: Mapping[str, str] | None = None) -> None:
        self._mirrors = mirrors
        self._replacements = dict(replacements or {})

    def resolve(self, url: str, ref: Json) -> Checkout:
        """Find the commit that a GitRepository's `ref` means.

        Raises:
            Rejected: `not_found`, `unsupported`.
            Retryable: `unreachable`.

        """
        with self._open(url) as repository:
            return _checkout(repository, url, ref)

    def files(self, url: str, commit: str) -> dict[str, bytes]:
        """All files of a commit; larger ones than a manifest can be are left out.

        Raises:
            Rejected: `not_found`, `too_large`.
            Retryable: `unreachable`.

        """
        with self._open(url) as repository:
            found = repository.get_object(ObjectID(commit.encode()))
            if not isinstance(found, Commit):
                raise Rejected(LocalRefusal.NOT_FOUND, f"{url}: {commit} is no commit")
            return dict(_contents(repository, found, url))

    def _open(self, url: str) -> Repo:
        path = self._local(url)
        try:
            return Repo(str(path)) if path else self._mirror(url)
        except NotGitRepository as error:
            raise Rejected(LocalRefusal.NOT_FOUND, f"{url}: no git repository there") from error
        except HTTPUnauthorized as error:
            raise Rejected(
                LocalRefusal.NOT_FOUND,
                f"{url}: it is not there or wants credentials; a private repository is read from "
                "its folder (--replace)",
            ) from error
        except (GitProtocolError, HangupException, OSError) as error:
            raise Retryable(LocalRefusal.UNREACHABLE, f"{url}: {error}") from error

    def _local(self, url: str) -> Path | None:
        for prefix, folder in self._replacements.items():
            if url.startswith(prefix):
                return _bare(_inside(Path(folder), url.removeprefix(prefix).strip("/")))
        return None if url.startswith(("http://", "https://")) else _bare(Path(url))

    def _mirror(self, url: str) -> Repo:
        folder = self._mirrors / hashlib.sha256(url.encode()).hexdigest()[:20]
        if (folder / "HEAD").exists():
            repository = Repo(str(folder))
        else:
            folder.mkdir(parents=True, exist_ok=True)
            repository = Repo.init_bare(str(folder))
        client, path = get_transport_and_path(url)
        result = client.fetch(path.encode() if isinstance(path, str) else path, repository)
        for name, value in result.refs.items():
            if value is not None and name.startswith((b"refs/heads/", b"refs/tags/")):
                repository.refs[name] = value
        return repository


def _inside(folder: Path, name: str) -> Path:
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise Rejected(LocalRefusal.NOT_FOUND, f"{name!r} is outside of {folder}")
    return path


def _bare(path: Path) -> Path:
    suffixed = path.with_name(f"{path.name}.git")
    return suffixed if not path.exists() and suffixed.exists() else path


def _checkout(repository: Repo, url: str, ref: Json) -> Checkout:
    if ref.get("semver"):
        raise Rejected(LocalRefusal.UNSUPPORTED, f"{url}: ref.semver is not played; name a tag")
    branch, commit = str(ref.get("branch") or ""), str(ref.get("commit") or "")
    if commit:
        if len(commit) != _COMMIT_CHARACTERS or not set(commit) <= _HEXADECIMAL:
            raise Rejected(LocalRefusal.NOT_FOUND, f"{url}: {commit!r} is no commit id")
        if ObjectID(commit.encode()) not in repository.object_store:
            raise Rejected(LocalRefusal.NOT_FOUND, f"{url}: no commit {commit}")
        return Checkout(f"{branch}@sha1:{commit}" if branch else f"sha1:{commit}", commit)
    if ref.get("name"):
        name = label = str(ref["name"])
    elif ref.get("tag"):
        name, label = f"refs/tags/{ref['tag']}", str(ref["tag"])
    else:
        name, label = f"refs/heads/{branch or 'master'}", branch or "master"
    found = _commit_at(repository, name)
    if found is None:
        raise Rejected(LocalRefusal.NOT_FOUND, f"{url}: couldn't find remote ref {name!r}")
    return Checkout(f"{label}@sha1:{found}", found)


def _commit_at(repository: Repo, name: str) -> str | None:
    try:
        found = repository.get_object(repository.refs[Ref(name.encode())])
    except KeyError:
        return None
    if isinstance(found, Tag):
        found = repository.get_object(found.object[1])
    return found.id.decode() if isinstance(found, Commit) else None


def _contents(repository: Repo, commit: Commit, url: str) -> Iterator[tuple[str, bytes]]:
    for count, one in enumerate(iter_tree_contents(repository.object_store, commit.tree)):
        if count >= FILES_MAX:
            raise Rejected(LocalRefusal.TOO_LARGE, f"{url}: more than {FILES_MAX} files")
        if one.path is None or one.sha is None:
            continue
        blob = repository.object_store[one.sha]
        if isinstance(blob, Blob) and blob.raw_length() <= FILE_BYTES_MAX:
            yield one.path.decode(errors="replace"), blob.as_raw_string()
