"""Writes what a first start needs: repositories, people, an application, secrets, a forge list."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import yaml
from dulwich.repo import Repo

from countersign.local.cluster.control import Control, Target, write_control
from countersign.local.demo.layout import (
    CLIENT_ID,
    FORGE_NAME,
    FORGE_SLUG,
    Layout,
    Ports,
    keep_ports,
    made_up,
    write_secret,
)
from countersign.local.demo.manifests import (
    BOT_SECRET,
    NAMESPACE,
    UNHEALTHY,
    Gitops,
    website_files,
)
from countersign.local.forge.git import objects
from countersign.local.forge.git.objects import Identity, NewCommit

PEOPLE: Final = {
    "ada": "Ada Lovelace",
    "grace": "Grace Hopper",
    "olga": "Olga Ladyzhenskaya",
    "ivan": "Ivan Petrovsky",
}
WRITERS: Final = ("ada", "grace", "flux-bot")
READERS: Final = ("olga", "ivan")
# They see the board, and the gateway lets them promote nothing.
VIEWERS: Final = ("ivan",)
_BEGINNING: Final = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
_TOKEN_CHARACTERS: Final = 36


def seed(layout: Layout, ports: Ports) -> None:
    """Write what is missing; files that name ports are written anew at each start."""
    for folder in (layout.root, layout.logs, layout.cluster, layout.secrets, layout.seed):
        folder.mkdir(parents=True, exist_ok=True)
    first = not layout.is_seeded
    if first:
        _write_secrets(layout)
        _write_gitops(
            layout,
            Gitops(
                forge_url=ports.forge_url,
                website_url=f"{ports.forge_url}/{NAMESPACE}/website.git",
                website_commit=_write_website(layout),
            ),
        )
        # The cluster is held back at one place from its first moment on.
        unhealthy = Target(kind="HelmRelease", namespace=UNHEALTHY[0], name=UNHEALTHY[1])
        write_control(layout.cluster, Control(unhealthy=(unhealthy,)))
    _write_yaml(layout.forges_file, _forge_list(layout, ports))
    _write_yaml(layout.people_file, {"people": _people()})
    write_secret(layout.seed_file, yaml.safe_dump(_forge_seed(layout, ports), sort_keys=False))
    keep_ports(layout, ports)


def _write_secrets(layout: Layout) -> None:
    write_secret(layout.client_secret_file, made_up(_TOKEN_CHARACTERS))
    write_secret(layout.webhook_secret_file, made_up(_TOKEN_CHARACTERS))
    stored = layout.stored_token_file(namespace=NAMESPACE, secret=BOT_SECRET)
    write_secret(stored, f"ghp_{made_up(_TOKEN_CHARACTERS)}")


def _write_website(layout: Layout) -> str:
    """Two commits; returns the first, the second is for the development environment alone."""
    path = layout.forge / "repositories" / NAMESPACE / "website.git"
    objects.create(path, default_branch="main")
    with Repo(str(path)) as repo:
        parents: list[str] = []
        for greeting, message in (("Hello", "Say hello"), ("Welcome", "Welcome visitors")):
            parents.append(_commit(repo, greeting, message, parents[-1:]))
        objects.set_ref(repo, "refs/heads/main", old=None, new=parents[-1])
    return parents[0]


def _commit(repo: Repo, greeting: str, message: str, parents: list[str]) -> str:
    changes: dict[str, tuple[int, str] | None] = {
        name: (objects.MODE_FILE, objects.write_blob(repo, text.encode()))
        for name, text in website_files(greeting=greeting).items()
    }
    grace = Identity(name="Grace Hopper", email="grace@example.invalid", when=_BEGINNING)
    new = NewCommit(
        tree=objects.write_tree(repo, None, changes),
        parents=parents,
        author=grace,
        committer=grace,
        message=message,
    )
    return objects.write_commit(repo, new)


def _write_gitops(layout: Layout, content: Gitops) -> None:
    for name, text in content.files().items():
        path = layout.seed / "gitops" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _people() -> list[dict[str, Any]]:
    return [
        {"id": login, "name": name, "groups": [_group(login)]} for login, name in PEOPLE.items()
    ]


def _group(login: str) -> str:
    if login in VIEWERS:
        return "viewers"
    return "shop" if login in WRITERS else "visitors"


def _forge_list(layout: Layout, ports: Ports) -> dict[str, Any]:
    forge = {
        "name": FORGE_NAME,
        "kind": "github",
        "origin": ports.forge_url,
        "clientId": CLIENT_ID,
        "clientSecretFile": str(layout.client_secret_file),
        "webhookSecretFile": str(layout.webhook_secret_file),
        "minutes": 15,
        "repositories": {NAMESPACE: [f"{NAMESPACE}/gitops"]},
    }
    return {"forges": [forge]}


def _forge_seed(layout: Layout, ports: Ports) -> dict[str, Any]:
    hook = {"url": ports.webhooks_url, "secret": layout.webhook_secret_file.read_text()}
    rights = {"writers": list(WRITERS), "readers": list(READERS)}
    stored = layout.stored_token_file(namespace=NAMESPACE, secret=BOT_SECRET)
    return {
        "people": [
            *({"login": login, "name": name} for login, name in PEOPLE.items()),
            {"login": "flux-bot", "name": "Flux Bot"},
        ],
        "repositories": [
            {
                "owner": NAMESPACE,
                "name": "gitops",
                "private": True,
                "from": str((layout.seed / "gitops").resolve()),
                "protected": ["main"],
                "webhooks": [hook],
                **rights,
            },
            {"owner": NAMESPACE, "name": "website", "private": False, **rights},
        ],
        "apps": [
            {
                "kind": "github-app",
                "name": "Countersign",
                "slug": "countersign",
                "client_id": CLIENT_ID,
                "client_secret": layout.client_secret_file.read_text(),
                "callbacks": [f"{ports.gateway_url}/oauth/callback/{FORGE_SLUG}"],
                "installations": [f"{NAMESPACE}/gitops"],
            }
        ],
        "tokens": [
            {
                "token": stored.read_text(),
                "owner": "flux-bot",
                "kind": "classic",
                "scopes": ["repo"],
            }
        ],
    }


def _write_yaml(path: Path, content: dict[str, Any]) -> None:
    path.write_text(yaml.safe_dump(content, sort_keys=False))
