"""Files that an administrator gives to a service: documents in YAML."""

from pathlib import Path
from typing import Annotated, Final, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, ValidationError

from countersign.contracts.errors import Rejected
from countersign.process.bounded_files import read_bounded
from countersign.process.faults.mounts import no_file
from countersign.process.faults.validation import Wrong, wrong_document
from countersign.process.refusals import ProcessRefusal

DOCUMENT_BYTES_MAX: Final = 1024 * 1024
FAULTS_MAX: Final = 5  # told at once

_Document = TypeVar("_Document", bound=BaseModel)


class BadDocument(Rejected):
    """A document with other fields than it should have.

    Args:
        path: its file.
        wrong: all that is wrong with it; a few of those are told.

    """

    def __init__(self, path: Path, wrong: tuple[Wrong, ...]) -> None:
        self.wrong = wrong
        told = "; ".join(map(str, wrong[:FAULTS_MAX]))
        more = f"; and {len(wrong) - FAULTS_MAX} more" if len(wrong) > FAULTS_MAX else ""
        super().__init__(ProcessRefusal.BAD_DOCUMENT, f"{path}: {told}{more}")


def _is_file(path: Path) -> Path:
    if not path.is_file():
        raise ValueError(no_file(path))
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
    body = read_bounded(path, bytes_max=DOCUMENT_BYTES_MAX, reason=ProcessRefusal.BAD_DOCUMENT)
    try:
        # Not the loader in C: it crashes on what is nested too deeply.
        document = yaml.safe_load(body) or {}
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f": line {mark.line + 1}" if mark else ""
        raise Rejected(ProcessRefusal.BAD_DOCUMENT, f"{path} is not YAML{place}") from None
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise BadDocument(path, tuple(wrong_document(error, document, model))) from None
