"""Whoever lacks something that tests need is told what, and what is skipped for the want of it."""

from pathlib import Path

import apiserver
import prerequisites
import pytest
import reference


def test_what_is_absent_is_named_with_what_is_skipped_and_fails_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "crds").mkdir()
    monkeypatch.setenv(reference.VARIABLE, str(tmp_path))
    monkeypatch.delenv(apiserver.ASSETS, raising=False)

    code = prerequisites.main()
    said = capsys.readouterr().out

    assert code == 0
    assert "kube-apiserver, etcd and kubectl; skipped: tests/integration/kubernetes" in said
    assert f"export {apiserver.ASSETS}=" in said
    assert "recordings of real controllers" in said
    assert "CRDs" not in said


def test_programs_alone_leave_the_kinds_wanting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in apiserver.PROGRAMS:
        (tmp_path / name).touch()
    monkeypatch.setenv(reference.VARIABLE, str(tmp_path / "absent"))
    monkeypatch.setenv(apiserver.ASSETS, str(tmp_path))

    prerequisites.main()
    said = capsys.readouterr().out

    assert "kube-apiserver" not in said
    assert f"{reference.VARIABLE}=a folder with crds/" in said
