"""One kind of forge is one folder and one row."""

import re
import typing
from dataclasses import fields

import pytest
import sources
from reference import ROOT

from countersign.contracts.forge_list import KIND_BY_NAME, Forge
from countersign.contracts.messages import ForgeKind
from countersign.dialects.kind import Kind
from countersign.dialects.kinds import KINDS
from countersign.forges.clients import CLIENTS

# What a forge is called, and its folders; the demonstration plays GitHub.
FOLDERS = {
    "github": (
        "libs/dialects/src/countersign/dialects/github/",
        "libs/forges/src/countersign/forges/github/",
        "libs/local/",
    ),
    "gitea": ("libs/dialects/src/countersign/dialects/gitea/",),
    "forgejo": ("libs/dialects/src/countersign/dialects/gitea/",),
    "gitlab": ("libs/dialects/src/countersign/dialects/gitlab/",),
    "bitbucket_server": ("libs/dialects/src/countersign/dialects/bitbucket_server/",),
}
# Both tables, and the forge list's kinds.
TABLES = frozenset(
    {
        "libs/dialects/src/countersign/dialects/kinds.py",
        "libs/forges/src/countersign/forges/clients.py",
        "libs/contracts/src/countersign/contracts/forge_list.py",
        "libs/contracts/src/countersign/contracts/messages.py",
    }
)
# Where a source is named by its address, the address may be there.
ADDRESS = re.compile(r"https?://\S+|github\.com/\S+|GitHub#\d+")
# Text is cleaned, and files that run code are known, whatever the forge.
WHATEVER_THE_FORGE = frozenset(
    {
        "libs/telemetry/src/countersign/telemetry/redaction.py",
        "services/pr-writer/src/countersign/pr_writer/jobs/files.py",
    }
)
# What stands elsewhere until its part of the dialect has moved; the list only becomes shorter.
NOT_YET = frozenset(
    {
        "services/watcher/src/countersign/watcher/decision/observations.py",
    }
)


def test_there_is_a_row_for_every_kind() -> None:
    assert set(KINDS) == set(ForgeKind) - {ForgeKind.UNSPECIFIED} == set(KIND_BY_NAME.values())
    assert all(kind is row.kind for kind, row in KINDS.items())


def test_forge_list_takes_every_kind() -> None:
    assert set(typing.get_args(Forge.model_fields["kind"].annotation)) == set(KIND_BY_NAME)


@pytest.mark.parametrize("row", KINDS.values(), ids=lambda row: row.title)
def test_row_keeps_a_token_within_known_origins(row: Kind) -> None:
    forge = Forge(
        name="one",
        kind=next(name for name, kind in KIND_BY_NAME.items() if kind is row.kind),
        origin="https://forge.example",
    )

    assert row.addresses.api_of(forge).startswith("https://")
    assert not row.addresses.api_of(forge).endswith("/")


@pytest.mark.parametrize("name", FOLDERS)
def test_only_its_folders_and_the_tables_name_a_forge(name: str) -> None:
    guilty = {
        sources.name(path)
        for path in sources.python_files("libs", "services")
        if not sources.name(path).startswith(FOLDERS[name])
        and sources.name(path) not in TABLES | WHATEVER_THE_FORGE
        and name in ADDRESS.sub("", path.read_text()).lower()
    }

    assert guilty <= (NOT_YET if name == "github" else frozenset())


def test_recipe_names_both_tables_and_every_part_of_a_row() -> None:
    recipe = (ROOT / "CONTRIBUTING.md").read_text().partition("## Add a forge\n")[2]
    recipe = recipe.partition("\n## ")[0]
    parts = {field.name for field in fields(Kind)} - {"kind", "opens_pulls"}

    assert all(f"`{table}`" in recipe for table in TABLES if "messages" not in table)
    assert {part for part in parts if part not in recipe.lower()} == set()


def test_every_kind_that_is_written_to_has_a_client() -> None:
    assert {row.kind for row in KINDS.values() if row.opens_pulls} == set(CLIENTS)
