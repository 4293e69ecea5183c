"""Stored credentials, read by the executor for its one job.

`<dir>/<namespace>/<secret>/<key>` stands for a Kubernetes Secret.
"""

import re
from pathlib import Path
from typing import Final

from countersign.contracts.errors import Rejected
from countersign.contracts.messages import SecretRef
from countersign.contracts.secret import Secret
from countersign.pr_writer.model import Job

# Keys as Flux and pipeline-controller name them, the first that is there.
_KEYS: Final = ("token", "password", "bearerToken")
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
TOKEN_BYTES_MAX: Final = 4_096


def stored_token(job: Job) -> Secret:
    """The token of the Secret that the Pipeline names.

    Raises:
        Rejected: `repository_not_allowed` where the administrator's entry does not let this
            namespace use this repository, `credential_missing`.

    """
    check_allowed(job)
    reference = job.request.secret
    if reference is None:
        raise Rejected("credential_missing", "the Pipeline names no Secret with a token")
    if reference.namespace != job.request.promotion.pipeline.namespace:
        raise Rejected("credential_missing", "a Pipeline may not use a Secret of another namespace")
    return read_secret(Path(job.secrets_dir), reference)


def check_allowed(job: Job) -> None:
    """A stored credential goes only where the forge list lets the Pipeline's namespace write.

    Raises:
        Rejected: `repository_not_allowed`.

    """
    to = job.request.destination
    namespace = job.request.promotion.pipeline.namespace
    if not job.forge.allows(namespace=namespace, owner=to.owner, repository=to.repository):
        raise Rejected(
            "repository_not_allowed",
            f"namespace {namespace!r} may not use repository '{to.owner}/{to.repository}' with a "
            f"stored credential; ask for it under `repositories` of forge {job.forge.name!r}",
        )


def read_secret(folder: Path, reference: SecretRef) -> Secret:
    """
    Raises:
        Rejected: `credential_missing`.

    """
    where = f"Secret '{reference.namespace}/{reference.name}'"
    if not (_NAME.fullmatch(reference.namespace) and _NAME.fullmatch(reference.name)):
        raise Rejected("credential_missing", f"{where} is no name of a Secret")
    for key in _KEYS:
        path = folder / reference.namespace / reference.name / key
        try:
            with path.open("rb") as file:
                text = file.read(TOKEN_BYTES_MAX + 1).decode("ascii").strip()
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError) as error:
            raise Rejected("credential_missing", f"{where}: key {key!r} is unreadable") from error
        if text and len(text) <= TOKEN_BYTES_MAX and text.isprintable():
            return Secret(text)
    raise Rejected("credential_missing", f"{where} has none of the keys {', '.join(_KEYS)}")
