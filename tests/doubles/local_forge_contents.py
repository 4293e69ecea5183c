"""What a test reads from and writes into a repository, past all rules."""

from collections.abc import Mapping
from pathlib import Path

from countersign.local.forge.git import branching, objects
from countersign.local.forge.git.objects import Identity
from countersign.local.forge.state.model import Repository
from countersign.local.forge.state.service import Service

Content = str | bytes


class Contents:
    """Branches and files of a service's repositories, by full name."""

    @property
    def service(self) -> Service:
        raise NotImplementedError

    def _found(self, full_name: str) -> Repository:
        owner, _, name = full_name.partition("/")
        found = self.service.store.repository(owner, name)
        if found is None:
            raise KeyError(full_name)
        return found

    def git_dir(self, full_name: str) -> Path:
        return self.service.store.git_dir(self._found(full_name))

    def head(self, full_name: str, branch: str = "main") -> str | None:
        """The commit that a branch points to."""
        return objects.branch_sha(self.service.store.git(self._found(full_name)), branch)

    def read(self, full_name: str, path: str, *, revision: str = "main") -> bytes | None:
        """A file's bytes at a branch or commit."""
        repo = self.service.store.git(self._found(full_name))
        tree = objects.tree_of(repo, revision)
        found = objects.entry_at(repo, tree, path) if tree else None
        blob = objects.lookup(repo, found[1]) if found else None
        return blob.as_raw_string() if blob else None

    def mode(self, full_name: str, path: str, *, revision: str = "main") -> int | None:
        """A file's mode at a branch or commit."""
        repo = self.service.store.git(self._found(full_name))
        tree = objects.tree_of(repo, revision)
        found = objects.entry_at(repo, tree, path) if tree else None
        return found[0] if found else None

    def author(self, full_name: str, revision: str) -> str:
        """Name and address that a commit gives its author."""
        commit = objects.commit_of(self.service.store.git(self._found(full_name)), revision)
        return commit.author.decode() if commit else ""

    def commit(
        self,
        full_name: str,
        files: Mapping[str, Content | None],
        *,
        branch: str = "main",
        by: str = "somebody",
        mode: int = objects.MODE_FILE,
        message: str = "Change by hand",
    ) -> str:
        """Commit past all rules, as a push by path would; makes the branch from main if needed."""
        repository = self._found(full_name)
        repo = self.service.store.git(repository)
        ref, head = branching.HEADS + branch, objects.branch_sha(repo, branch)
        start = head or objects.branch_sha(repo, repository.default_branch)
        base = objects.tree_of(repo, start) if start else None
        changes: dict[str, tuple[int, str] | None] = {
            path: None if content is None else (mode, objects.write_blob(repo, as_bytes(content)))
            for path, content in files.items()
        }
        who = Identity(name=by, email=f"{by}@localhost", when=self.service.store.clock())
        sha = objects.write_commit(
            repo,
            objects.NewCommit(
                tree=objects.write_tree(repo, base, changes),
                parents=[start] if start else [],
                author=who,
                committer=who,
                message=message,
            ),
        )
        objects.set_ref(repo, ref, old=head, new=sha)
        change = branching.Change(ref=ref, before=head, after=sha)
        branching.after_change(self.service, repository, change, by)
        return sha


def as_bytes(content: Content) -> bytes:
    return content.encode() if isinstance(content, str) else content


def file_bytes(files: Mapping[str, Content]) -> dict[str, bytes]:
    return {path: as_bytes(content) for path, content in files.items()}
