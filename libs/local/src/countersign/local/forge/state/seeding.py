"""The first contents of a forge, from YAML. Applying it again changes only what differs.

Files are put into a repository once, when it is made; rights, hooks and applications follow
the seed at each start; tokens that were revoked stay so.
"""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from countersign.contracts.secret import Secret
from countersign.local.forge.git import objects
from countersign.local.forge.state import tokens
from countersign.local.forge.state.model import (
    App,
    AppKind,
    Hook,
    Installation,
    Person,
    Repository,
    TokenKind,
)
from countersign.local.forge.state.service import Service
from countersign.local.forge.state.store import Store, sha256
from countersign.local.forge.state.tokens import Terms

SEED_BYTES_MAX = 1024 * 1024
FILES_MAX = 10_000


AppLevel = Literal["read", "write", "admin"]


class SeedError(Exception):
    """The seed cannot be used; the message says where and why."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class PersonSeed(_Model):
    login: str
    name: str = ""
    id: int | None = None


class HookSeed(_Model):
    url: str
    secret: str = ""


class RepositorySeed(_Model):
    owner: str
    name: str
    private: bool = True
    folder: Path | None = Field(default=None, alias="from")
    default_branch: str = "main"
    admins: tuple[str, ...] = ()
    writers: tuple[str, ...] = ()
    readers: tuple[str, ...] = ()
    protected: tuple[str, ...] = ()
    required_checks: tuple[str, ...] = ()
    former_names: tuple[str, ...] = ()
    webhooks: tuple[HookSeed, ...] = ()


class AppSeed(_Model):
    kind: AppKind
    name: str
    client_id: str
    client_secret: str
    callbacks: tuple[str, ...] = ()
    slug: str = ""
    installations: tuple[str, ...] = ()
    permissions: dict[str, AppLevel] = {"contents": "write", "pull_requests": "write"}
    public_key: str = ""
    device_flow: bool = False


class TokenSeed(_Model):
    token: str
    owner: str
    kind: Literal["classic", "fine-grained", "oauth"] = "classic"
    scopes: tuple[str, ...] = ()
    permissions: dict[str, str] | None = None
    repositories: tuple[str, ...] | None = None
    expires_at: datetime | None = None


class Seed(_Model):
    people: tuple[PersonSeed, ...] = ()
    repositories: tuple[RepositorySeed, ...] = ()
    apps: tuple[AppSeed, ...] = ()
    tokens: tuple[TokenSeed, ...] = ()


def read_seed(path: Path) -> Seed:
    """Read a seed; a mistake in it is a `SeedError` with its place."""
    try:
        with path.open("rb") as file:
            parsed = yaml.safe_load(file.read(SEED_BYTES_MAX))
        seed = Seed.model_validate(parsed or {})
    except OSError as error:
        raise SeedError(f"cannot read the seed {path}: {error.strerror}") from error
    except yaml.YAMLError as error:
        # The error's own text quotes the file, which holds secrets.
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        raise SeedError(f"the seed {path} is not YAML{where}") from error
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SeedError(f"the seed {path} is wrong at {where!r}: {first['msg']}") from error
    here = path.resolve().parent
    repositories = tuple(
        one.model_copy(update={"folder": here / one.folder}) if one.folder else one
        for one in seed.repositories
    )
    return seed.model_copy(update={"repositories": repositories})


def apply_seed(service: Service, seed: Seed) -> None:
    for person in seed.people:
        add_person(service.store, person)
    for repository in seed.repositories:
        add_repository(service, repository, folder_files(repository.folder))
    for app in seed.apps:
        add_app(service.store, app)
    for token in seed.tokens:
        add_token(service.store, token)


def add_person(store: Store, seed: PersonSeed) -> Person:
    old = store.person(seed.login)
    person = Person(
        id=old.id if old else seed.id or store.new_id(),
        login=seed.login,
        name=seed.name or seed.login,
        created_at=old.created_at if old else store.clock(),
    )
    return store.people.put(seed.login.lower(), person)


def folder_files(folder: Path | None) -> dict[str, bytes]:
    """All files below a folder, by their path with slashes."""
    if folder is None:
        return {}
    if not folder.is_dir():
        raise SeedError(f"the folder {folder} of a seeded repository does not exist")
    paths = sorted(
        path for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts
    )
    if len(paths) > FILES_MAX:
        raise SeedError(f"the folder {folder} holds more than {FILES_MAX} files")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def add_repository(service: Service, seed: RepositorySeed, files: dict[str, bytes]) -> Repository:
    store, old = service.store, service.store.repository(seed.owner, seed.name)
    known = {hook.url: hook for hook in old.hooks} if old else {}
    hooks = tuple(
        Hook(
            id=known[one.url].id if one.url in known else store.new_id(),
            url=one.url,
            secret=one.secret,
        )
        for one in seed.webhooks
    )
    repository = Repository(
        id=old.id if old else store.new_id(),
        owner=seed.owner,
        name=seed.name,
        private=seed.private,
        created_at=old.created_at if old else store.clock(),
        default_branch=seed.default_branch,
        admins=seed.admins,
        writers=seed.writers,
        readers=seed.readers,
        protected=seed.protected,
        required_checks=seed.required_checks,
        former_names=seed.former_names,
        hooks=hooks or (old.hooks if old else ()),
    )
    store.save_repository(repository)
    if not store.git_dir(repository).exists():
        objects.create(store.git_dir(repository), default_branch=seed.default_branch)
        if files:
            _first_commit(service, repository, files)
    return repository


def _first_commit(service: Service, repository: Repository, files: dict[str, bytes]) -> None:
    repo = service.store.git(repository)
    changes: dict[str, tuple[int, str] | None] = {
        path: (objects.MODE_FILE, objects.write_blob(repo, content))
        for path, content in files.items()
    }
    sha = objects.write_commit(
        repo,
        objects.NewCommit(
            tree=objects.write_tree(repo, None, changes),
            parents=[],
            author=service.committer(),
            committer=service.committer(),
            message="Begin",
        ),
    )
    objects.set_ref(repo, f"refs/heads/{repository.default_branch}", old=None, new=sha)


def add_app(store: Store, seed: AppSeed) -> App:
    old = store.apps.get(seed.client_id)
    app = App(
        id=old.id if old else store.new_id(),
        kind=seed.kind,
        name=seed.name,
        slug=seed.slug or seed.name.lower().replace(" ", "-"),
        client_id=seed.client_id,
        client_secret_sha256=sha256(seed.client_secret),
        callbacks=seed.callbacks,
        created_at=old.created_at if old else store.clock(),
        permissions=dict(seed.permissions) if seed.kind is AppKind.GITHUB_APP else {},
        device_flow=seed.device_flow,
        public_key_pem=seed.public_key,
    )
    store.apps.put(app.client_id, app)
    install(store, app, seed.installations)
    return app


def install(store: Store, app: App, full_names: tuple[str, ...]) -> None:
    """Install an application on exactly these repositories, one installation an account."""
    by_account: dict[str, list[str]] = {}
    for full_name in full_names:
        by_account.setdefault(full_name.partition("/")[0], []).append(full_name)
    known = {one.account: one for one in store.installations if one.app_id == app.id}
    for account, old in known.items():
        if account not in by_account:
            store.installations.delete(str(old.id))
    for account, names in by_account.items():
        found = known.get(account) or Installation(
            id=store.new_id(),
            app_id=app.id,
            account=account,
            repositories=(),
            created_at=store.clock(),
        )
        store.installations.put(str(found.id), replace(found, repositories=tuple(names)))


def add_token(store: Store, seed: TokenSeed) -> None:
    if store.tokens.get(sha256(seed.token)):
        return
    expires = seed.expires_at
    terms = Terms(
        kind=TokenKind(seed.kind),
        owner=seed.owner,
        scopes=seed.scopes,
        permissions=seed.permissions,
        repositories=seed.repositories,
        expires_at=expires.replace(tzinfo=UTC) if expires and not expires.tzinfo else expires,
    )
    tokens.record(store, Secret(seed.token), terms)
