"""Files with one secret each, and folders of such files that stand for Kubernetes Secrets.

Apart from other files: the gateway reads none of these.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from countersign.contracts.errors import Rejected
from countersign.contracts.secret import Secret
from countersign.process.bounded_files import read_bounded
from countersign.process.refusals import ProcessRefusal

# The longest key or token of any forge has a few KiB.
SECRET_BYTES_MAX: Final = 16 * 1024
# As Flux and pipeline-controller name what holds a token; the first that is there does.
TOKEN_KEYS: Final = ("token", "password", "bearerToken")
USERNAME_KEY: Final = "username"
USERNAME_CHARACTERS_MAX: Final = 255
AUTHORITY_KEY: Final = "caFile"
# A bundle of many authorities.
AUTHORITY_BYTES_MAX: Final = 256 * 1024
_NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")


def read_secret(path: Path, *, reason: StrEnum = ProcessRefusal.BAD_SECRET) -> Secret:
    """Read it, without the spaces and line ends around it.

    Raises:
        Rejected: for the `reason` given.

    """
    body = read_bounded(path, bytes_max=SECRET_BYTES_MAX, reason=reason)
    try:
        text = body.decode().strip()
    except UnicodeDecodeError:
        raise Rejected(reason, f"{path} is not text") from None
    if not text:
        raise Rejected(reason, f"{path} is empty")
    return Secret(text)


def token_files(directory: Path, *, namespace: str, name: str) -> tuple[Path, ...]:
    """Return the paths a mounted Secret's token may have: `<directory>/<namespace>/<name>/<key>`.

    None for names that no Secret has: they come with events, and may not lead out of the directory.
    """
    if not all(_NAME.fullmatch(part) and ".." not in part for part in (namespace, name)):
        return ()
    return tuple(directory / namespace / name / key for key in TOKEN_KEYS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A stored token.

    Args:
        username: the name that some forges want with it.
        authority: who vouches for its forge, in PEM, where that is said.

    """

    token: Secret
    username: str = ""
    authority: str = ""


def read_credential(directory: Path, *, namespace: str, name: str) -> Credential:
    """Read a mounted Secret; errors as of `read_token`."""
    token = read_token(directory, namespace=namespace, name=name)
    folder = directory / namespace / name
    return Credential(
        token=token,
        username=_username(_beside(folder / USERNAME_KEY)),
        authority=_beside(folder / AUTHORITY_KEY),
    )


def _beside(file: Path) -> str:
    """Read what a Secret may hold beside its token; empty where it does not."""
    if not file.is_file():
        return ""
    body = read_bounded(
        file, bytes_max=AUTHORITY_BYTES_MAX, reason=ProcessRefusal.CREDENTIAL_MISSING
    )
    return body.decode(errors="replace")


def credential_of(keys: Mapping[str, Secret]) -> Credential:
    """Return the credential among the keys of a Secret; errors as of `token_of`."""
    username, authority = keys.get(USERNAME_KEY), keys.get(AUTHORITY_KEY)
    return Credential(
        token=token_of(keys),
        username=_username(username.reveal() if username else ""),
        authority=authority.reveal() if authority else "",
    )


def _username(text: str) -> str:
    """Return a name that can be sent with a token.

    Raises:
        Rejected: `credential_missing`; no name could be sent so.

    """
    name = text.strip()
    if len(name) > USERNAME_CHARACTERS_MAX or not name.isprintable() or ":" in name:
        why = f"its key {USERNAME_KEY!r} is no name that can be sent with a token"
        raise Rejected(ProcessRefusal.CREDENTIAL_MISSING, why)
    return name


def read_token(directory: Path, *, namespace: str, name: str) -> Secret:
    """Read the token of a mounted Secret.

    Raises:
        Rejected: `credential_missing`; the message goes on after the Secret's name.

    """
    files = token_files(directory, namespace=namespace, name=name)
    if not files:
        raise Rejected(ProcessRefusal.CREDENTIAL_MISSING, "its name is not one of a Secret")
    for path in files:
        try:
            with path.open("rb") as file:
                body = file.read(SECRET_BYTES_MAX + 1)
        except FileNotFoundError:
            continue
        except OSError as error:
            why = f"its key {path.name!r} cannot be read: {error.strerror}"
            raise Rejected(ProcessRefusal.CREDENTIAL_MISSING, why) from None
        return _token(body, key=path.name)
    if (directory / namespace / name).is_dir():
        return token_of({})
    raise Rejected(ProcessRefusal.CREDENTIAL_MISSING, "it is not there")


def token_of(keys: Mapping[str, Secret]) -> Secret:
    """The token among the keys of a Secret.

    Raises:
        Rejected: `credential_missing`; the message goes on after the Secret's name.

    """
    for key in TOKEN_KEYS:
        if key in keys:
            return _token(keys[key].reveal().encode(), key=key)
    names = " or ".join(map(repr, TOKEN_KEYS))
    raise Rejected(ProcessRefusal.CREDENTIAL_MISSING, f"it has no key {names}")


def _token(body: bytes, *, key: str) -> Secret:
    text = body.strip()
    if not text:
        why = "is empty"
    elif len(body) > SECRET_BYTES_MAX:
        why = f"is larger than {SECRET_BYTES_MAX} bytes"
    elif not text.isascii() or not text.decode("ascii").isprintable():
        why = "is not of plain characters, as tokens are"
    else:
        return Secret(text.decode("ascii"))
    raise Rejected(ProcessRefusal.CREDENTIAL_MISSING, f"its key {key!r} {why}")
