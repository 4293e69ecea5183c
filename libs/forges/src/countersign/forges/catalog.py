"""The forge list from its file."""

from pathlib import Path

import yaml
from pydantic import ValidationError

from countersign.contracts.errors import Rejected
from countersign.contracts.forge_list import ForgeList


def load_forges(path: Path) -> ForgeList:
    """Read the administrator's `forges.yaml`.

    Raises:
        Rejected: `bad_forge_list`; says which field of which entry.

    """
    try:
        data = yaml.safe_load(path.read_bytes())
    except OSError as error:
        raise Rejected("bad_forge_list", f"{path}: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise Rejected("bad_forge_list", f"{path}: not YAML: {_place(error)}") from None
    try:
        return ForgeList.model_validate(data or {})
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
        said = "; ".join(f"{'.'.join(map(str, d['loc']))}: {d['msg']}" for d in details[:5])
        raise Rejected("bad_forge_list", f"{path}: {said}") from None


def _place(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    return f"line {mark.line + 1}" if mark else "unreadable"
