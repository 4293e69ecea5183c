"""One kind of forge is one folder and one row."""

import re
import typing
from collections.abc import Callable
from dataclasses import fields

import pytest
import sources
from reference import ROOT

from countersign.contracts.forge_list import KIND_BY_NAME, Forge
from countersign.contracts.messages import ForgeKind
from countersign.contracts.secret import Secret
from countersign.dialects.capabilities import Capabilities, Revoker
from countersign.dialects.kind import Kind
from countersign.dialects.kinds import KINDS
from countersign.dialects.repositories.dialect import MergingDialect
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

    assert guilty == set()


def test_recipe_names_both_tables_and_every_part_of_a_row() -> None:
    recipe = (ROOT / "CONTRIBUTING.md").read_text().partition("## Add a forge\n")[2]
    recipe = recipe.partition("\n## ")[0]
    parts = {field.name for field in fields(Kind)} - {"kind"}

    assert all(f"`{table}`" in recipe for table in TABLES if "messages" not in table)
    assert {part for part in parts if part not in recipe.lower()} == set()


def test_every_kind_has_a_client() -> None:
    assert set(CLIENTS) == set(KINDS)


def test_dialect_of_a_kind_that_merges_by_itself_says_how() -> None:
    dialects = {k: row.repository(Secret("")) for k, row in KINDS.items() if row.repository}

    says_how = {kind for kind, dialect in dialects.items() if isinstance(dialect, MergingDialect)}

    assert says_how == {kind for kind in dialects if KINDS[kind].capabilities.auto_merges}


# Rows of the comparison for people, and whether a cell says yes.
COMPARED: dict[str, Callable[[str, Capabilities], bool]] = {
    "reach of a person's token": lambda cell, c: (
        ("narrowed" in cell) == c.narrows
        and ("`broadTokens: accept`" in cell) == c.wants_acceptance
    ),
    "signing in by a code": lambda cell, c: cell.startswith("where") == c.device_flow,
    "after its use": lambda cell, c: (cell == "revoked") == (c.revoked_by is not Revoker.NOBODY),
    "stored token: expiry": lambda cell, c: cell.startswith("told") == c.tells_expiry,
    "stored token: last used": lambda cell, c: cell.startswith("told") == c.tells_last_use,
    "token of an application": lambda cell, c: cell.startswith("yes") == c.app_tokens,
    "one commit for many files": lambda cell, c: (
        (cell != "one commit a file, all or none") == c.one_commit_many_files
    ),
    "labels; drafts; merges": lambda cell, c: (
        [part == "yes" for part in (cell.split("; ") * 3)[:3]]
        == [c.labels, c.drafts, c.auto_merges]
    ),
    "commits of the API": lambda cell, c: (cell != "no") == c.signs_api_commits,
}


@pytest.mark.parametrize("row", COMPARED)
def test_comparison_of_forges_says_what_the_table_says(row: str) -> None:
    text = (ROOT / "docs/forges/README.md").read_text()
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    (names,) = (cells[1:] for cells in lines if cells[0] == "`kind`")
    (told,) = (cells[1:] for cells in lines if cells[0].startswith(row))

    agrees = {
        name: COMPARED[row](cell, KINDS[KIND_BY_NAME[name]].capabilities)
        for cell_names, cell in zip(names, told, strict=True)
        for name in re.findall(r"[a-z-]+", cell_names)
    }

    assert agrees == dict.fromkeys(KIND_BY_NAME, True)
