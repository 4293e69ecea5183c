"""What the service is told from outside."""

from pathlib import Path
from typing import Final

import yaml
from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from countersign.contracts.errors import Rejected
from countersign.contracts.forge_list import Forge, ForgeList

FORGES_BYTES_MAX: Final = 1024 * 1024


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="COUNTERSIGN_", frozen=True, extra="ignore", hide_input_in_errors=True
    )

    cluster_dir: Path = Field(description="directory of YAML that plays the cluster")
    reread_s: float = Field(
        default=30.0, gt=0, le=3600, description="how often everything is re-read, seconds"
    )
    forges_file: Path | None = Field(
        default=None, description="YAML file with the list of forges; without it no webhooks"
    )
    webhook_host: str = Field(default="127.0.0.1", description="address that takes webhooks")
    webhook_port: int = Field(
        default=0, ge=0, le=65535, description="its port; 0 lets the system choose"
    )

    @field_validator("cluster_dir")
    @classmethod
    def _is_directory(cls, path: Path) -> Path:
        if not path.is_dir():
            raise ValueError(f"there is no directory {str(path)!r}")
        return path

    @field_validator("forges_file")
    @classmethod
    def _is_there(cls, path: Path | None) -> Path | None:
        if path is not None and not path.is_file():
            raise ValueError(f"there is no file {str(path)!r}")
        return path


def read_forges(path: Path | None) -> tuple[Forge, ...]:
    """
    Raises:
        Rejected: `bad_forge_list`.

    """
    if path is None:
        return ()
    try:
        document = yaml.load(path.read_bytes()[:FORGES_BYTES_MAX], Loader=yaml.CSafeLoader)
        return ForgeList.model_validate(document).forges
    except ValidationError as error:
        places = {".".join(map(str, detail["loc"])) for detail in error.errors()}
        wrong = ", ".join(sorted(places)) or "everything"
        raise Rejected("bad_forge_list", f"{str(path)!r}: wrong in {wrong}") from None
    except (OSError, yaml.YAMLError) as error:
        reason = type(error).__name__
        raise Rejected("bad_forge_list", f"{str(path)!r} cannot be read: {reason}") from None
