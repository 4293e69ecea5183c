"""Seeds that are wrong, each with a clear error."""

from pathlib import Path

import pytest

from countersign.local.forge.state.seeding import SeedError, folder_files, read_seed


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("people: [", "is not YAML"),
        ("people: [{login: ada, colour: red}]", "people.0.colour"),
        ("apps: [{kind: gitlab, name: a, client_id: b, client_secret: c}]", "apps.0.kind"),
        ("tokens: [{token: a, owner: b, expires_at: soon}]", "tokens.0.expires_at"),
        ("- a list", "Input should be"),
    ],
)
def test_a_wrong_seed_says_where(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "seed.yaml"
    path.write_text(text)

    with pytest.raises(SeedError, match=words.replace(".", r"\.")):
        read_seed(path)


def test_a_wrong_seed_does_not_repeat_its_secrets(tmp_path: Path) -> None:
    path = tmp_path / "seed.yaml"
    path.write_text("tokens: [{token: [ghp_madeup], owner: b}]")

    with pytest.raises(SeedError) as raised:
        read_seed(path)

    assert "ghp_madeup" not in str(raised.value)


def test_a_missing_seed_is_named(tmp_path: Path) -> None:
    with pytest.raises(SeedError, match=r"none\.yaml"):
        read_seed(tmp_path / "none.yaml")


def test_folders_are_found_beside_the_seed(tmp_path: Path) -> None:
    path = tmp_path / "seed.yaml"
    path.write_text("repositories: [{owner: a, name: b, from: files}]")

    assert read_seed(path).repositories[0].folder == tmp_path.resolve() / "files"


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(SeedError, match=r"/none "):
        folder_files(tmp_path / "none")
