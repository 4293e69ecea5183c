"""One kind of forge is one folder and one row."""

import re
import typing

import pytest
import sources

from countersign.contracts.forge_list import KIND_BY_NAME, Forge
from countersign.contracts.messages import ForgeKind
from countersign.dialects.kinds import KINDS, Kind

# The folders of a kind, both tables, the forge list's kinds, and the demonstration's forge.
FOLDERS = ("libs/dialects/src/countersign/dialects/github/", "libs/local/")
CLIENTS = "libs/forges/src/countersign/forges/github/"
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


def test_only_its_folders_and_the_table_name_a_forge() -> None:
    guilty = {
        sources.name(path)
        for path in sources.python_files("libs", "services")
        if not sources.name(path).startswith((*FOLDERS, CLIENTS))
        and sources.name(path) not in TABLES | WHATEVER_THE_FORGE
        and "github" in ADDRESS.sub("", path.read_text()).lower()
    }

    assert guilty <= NOT_YET
