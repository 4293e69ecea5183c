"""Files that an administrator gives to a service: documents in YAML, and secrets."""

from pathlib import Path
from typing import Annotated, Final, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, ValidationError

from countersign.contracts.errors import Rejected
from countersign.contracts.secret import Secret

DOCUMENT_BYTES_MAX: Final = 1024 * 1024
# The longest key or token of any forge has a few KiB.
SECRET_BYTES_MAX: Final = 16 * 1024
FAULTS_MAX: Final = 5  # told at once

_Document = TypeVar("_Document", bound=BaseModel)


def _is_file(path: Path) -> Path:
    if not path.is_file():
        raise ValueError(f"there is no file {str(path)!r}")
    return path


def _is_folder(path: Path) -> Path:
    if not path.is_dir():
        raise ValueError(f"there is no folder {str(path)!r}")
    return path


ExistingFile = Annotated[Path, AfterValidator(_is_file)]
ExistingFolder = Annotated[Path, AfterValidator(_is_folder)]


def read_document(path: Path, model: type[_Document]) -> _Document:
    """Read a file of YAML; an empty one has no fields.

    Raises:
        Rejected: `bad_document`; says which field is wrong and never what it holds.

    """
    body = _read(path, reason="bad_document", bytes_max=DOCUMENT_BYTES_MAX)
    try:
        # Not the loader in C: it crashes on what is nested too deeply.
        return model.model_validate(yaml.safe_load(body) or {})
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f": line {mark.line + 1}" if mark else ""
        raise Rejected("bad_document", f"{path} is not YAML{place}") from None
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        faults = (f"{'.'.join(map(str, d['loc']))}: {d['msg']}" for d in details[:FAULTS_MAX])
        raise Rejected("bad_document", f"{path}: {'; '.join(faults)}") from None


def read_secret(path: Path, *, reason: str = "bad_secret") -> Secret:
    """Read a secret, without the spaces and line ends around it.

    Raises:
        Rejected: for the `reason` given.

    """
    body = _read(path, reason=reason, bytes_max=SECRET_BYTES_MAX)
    try:
        text = body.decode().strip()
    except UnicodeDecodeError:
        raise Rejected(reason, f"{path} is not text") from None
    if not text:
        raise Rejected(reason, f"{path} is empty")
    return Secret(text)


def _read(path: Path, *, reason: str, bytes_max: int) -> bytes:
    try:
        with path.open("rb") as file:
            body = file.read(bytes_max + 1)
    except OSError as error:
        raise Rejected(reason, f"{path} cannot be read: {error.strerror}") from None
    if len(body) > bytes_max:
        raise Rejected(reason, f"{path} is larger than {bytes_max} bytes")
    return body
