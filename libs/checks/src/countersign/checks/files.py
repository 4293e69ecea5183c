"""Files that the settings name are sought where Pods have them; none of them is read."""

from collections.abc import Iterator
from pathlib import Path

from countersign.checks.model import Fault, Finding, Subject
from countersign.contracts.forge_list import Forge
from countersign.process.faults.mounts import MOUNTED, Mount, what_to_do


def check_webhook_secrets(forges: tuple[Forge, ...], *, root: Path = MOUNTED) -> Iterator[Finding]:
    """Seek what proves webhooks: the watcher does not start where one is missing."""
    for forge in forges:
        if forge.webhook_secret_file:
            name = f"{forge.name}, webhookSecretFile"
            yield check_secret(name, forge.webhook_secret_file, Mount.WEBHOOKS, root=root)
        for webhook in forge.webhooks:
            name = f"{forge.name}, webhook {webhook.name}, secretFile"
            yield check_secret(name, webhook.secret_file, Mount.WEBHOOKS, root=root)


def check_secret(name: str, file: str, mount: Mount, *, root: Path = MOUNTED) -> Finding:
    """Seek a file with a secret, which should come of the Secret that is mounted there."""
    path = Path(file)
    if path.is_file():
        return Finding(subject=Subject.FILE, name=name, detail=f"{file} is there")
    return Finding(
        subject=Subject.FILE,
        name=name,
        fault=Fault.SECRET_MISSING,
        detail=f"there is no file {file!r}",
        hint=what_to_do(path, mounts=(mount,), root=root),
    )
