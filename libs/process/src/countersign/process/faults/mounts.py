"""Files that are keys of Secrets, which people make and Pods mount where they are there."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

# A test holds this against the manifests.
MOUNTED: Final = Path("/var/run/countersign")
NAMESPACE: Final = "countersign"


class Mount(StrEnum):
    """The folder below `MOUNTED` that such a Secret is mounted in."""

    OIDC = "oidc"
    CLIENTS = "clients"
    WEBHOOKS = "webhooks"
    APPS = "apps"

    @property
    def secret(self) -> str:
        return SECRETS[self]


SECRETS: Final = {
    Mount.OIDC: "countersign-oidc",
    Mount.CLIENTS: "countersign-client-secrets",
    Mount.WEBHOOKS: "countersign-webhook-secrets",
    Mount.APPS: "countersign-app-keys",
}


@dataclass(frozen=True, kw_only=True)
class MissingKey:
    """A key that a Secret should have.

    Args:
        mount: where the Secret is mounted.
        key: its name there.
        others: whether the Secret has other keys, so that it must not be made anew.

    """

    mount: Mount
    key: str
    others: bool

    @property
    def command(self) -> str:
        """The line for a shell that adds it, of a file with that name."""
        of = f"kubectl -n {NAMESPACE}"
        if not self.others:
            return f"{of} create secret generic {self.mount.secret} --from-file={self.key}"
        data = f'{{\\"data\\":{{\\"{self.key}\\":\\"$(base64 < {self.key} | tr -d \'\\n\')\\"}}}}'
        return f'{of} patch secret {self.mount.secret} -p "{data}"'


def missing_key(path: Path, *, root: Path = MOUNTED) -> MissingKey | None:
    """Return the key that a missing file should come of; none where no Secret is mounted there."""
    for mount in Mount:
        folder = root / mount
        if path.parent == folder:
            others = folder.is_dir() and any(
                not file.name.startswith(".") for file in folder.iterdir()
            )
            return MissingKey(mount=mount, key=path.name, others=others)
    return None


def what_to_do(path: Path, *, mounts: tuple[Mount, ...] = (), root: Path = MOUNTED) -> str:
    """Say how a missing file comes to be there; empty where nothing is known of it.

    Args:
        path: the file.
        mounts: where it would be sought; none means all that this Pod has.
        root: of all mounts.

    """
    if missing := missing_key(path, root=root):
        name = f"the key {missing.key!r} of the Secret {missing.mount.secret}"
        return f"it is {name}: {missing.command}"
    folders = [folder for mount in mounts or tuple(Mount) if (folder := root / mount).is_dir()]
    if not folders:
        return ""
    paths = " or ".join(str(folder / (path.name or "<key>")) for folder in folders)
    return f"no Secret is mounted there: write {paths}"


def no_file(path: Path, *, root: Path = MOUNTED) -> str:
    """Say that there is no such file, and what to do about it."""
    told = f"there is no file {str(path)!r}"
    advice = what_to_do(path, root=root)
    return f"{told}; {advice}" if advice else told
