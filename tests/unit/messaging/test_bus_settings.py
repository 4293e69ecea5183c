"""Files that the bus's settings name are tried at the start, and told by their variables."""

from pathlib import Path

import pytest
from doubles.tls_front import certificate
from pydantic import ValidationError

from countersign.messaging.settings import BusSettings
from countersign.process.faults.validation import wrong_settings


@pytest.mark.parametrize("field", ["nkey_file", "nats_ca_file"])
def test_file_that_is_not_there_is_told_by_its_variable(tmp_path: Path, field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        BusSettings.model_validate({field: tmp_path / "none"})

    (wrong,) = wrong_settings(refused.value)
    assert wrong.subject == f"COUNTERSIGN_{field.upper()}"
    assert repr(str(tmp_path / "none")) in wrong.words


def test_authority_without_certificates_is_told_by_its_variable(tmp_path: Path) -> None:
    file = tmp_path / "ca.crt"
    file.write_text("made up")
    with pytest.raises(ValidationError) as refused:
        BusSettings(nats_ca_file=file)

    (wrong,) = wrong_settings(refused.value)
    assert wrong.subject == "COUNTERSIGN_NATS_CA_FILE"


def test_authority_is_taken(tmp_path: Path) -> None:
    file = tmp_path / "ca.crt"
    file.write_text(certificate(tmp_path))

    assert BusSettings(nats_ca_file=file).nats_ca_file == file
