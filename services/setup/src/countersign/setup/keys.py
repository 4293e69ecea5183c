"""Keys, certificate and configuration of the bus, as Secrets of the cluster.

What is there stays; what is missing is made. Two of these at once agree: the first that creates a
Secret has made it, and the other reads that.
"""

import base64
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from countersign.contracts.errors import Rejected
from countersign.kube.access.api import APPLY, MERGE, ClusterApi
from countersign.kube.objects import mapping, text
from countersign.kube.refusals import ClusterRefusal
from countersign.messaging.administration import reader_files
from countersign.messaging.administration.reader_list import ReaderList
from countersign.messaging.administration.server_config import make_keys
from countersign.messaging.topology.permissions import USERS
from countersign.messaging.topology.readers import Reader
from countersign.process.configuration import read_document
from countersign.setup import objects
from countersign.setup.certificates import (
    Certificate,
    is_fit,
    make_authority,
    make_certificate,
)
from countersign.setup.refusals import SetupRefusal
from countersign.setup.settings import Settings

AUTHORITY: Final = "countersign-nats-authority"
CERTIFICATE: Final = "countersign-nats-tls"
CONFIGURATION: Final = "countersign-nats-config"
READERS: Final = "countersign-reader-nkeys"
WRITERS: Final = "countersign-writer-nkeys"
SESSIONS: Final = "countersign-session-key"
SESSION_KEY_BYTES: Final = 64
_WRITER: Final = "pr-writer"
_FIELD_MANAGER: Final = "countersign-setup"


@dataclass(frozen=True, kw_only=True)
class Setup:
    api: ClusterApi
    settings: Settings
    now: Callable[[], datetime]
    dice: Callable[[int], bytes]

    async def make(self) -> list[str]:
        """Make what is missing; returns the names of the Secrets that are new or changed.

        Raises:
            Rejected: the account may not do it, with the right that it lacks.
            Retryable: the API server does not answer.

        """
        changed: list[str] = []
        before = await self._read(CONFIGURATION)
        if before is not None:
            self._refuse_another_bus(before)
        public = await self._keys(changed)
        await self._certificate(changed)
        await self._session_key(changed)
        settings = self.settings
        text_of = objects.configuration(
            public,
            await self._readers(changed),
            bus=settings.bus,
            namespace=settings.namespace,
            nodes=settings.bus_nodes,
        )
        await self._keep(WRITERS, {objects.WRITER_KEYS: public[_WRITER].encode()}, changed)
        await self._keep(CONFIGURATION, {objects.CONFIGURATION: text_of.encode()}, changed)
        if before is not None and {CONFIGURATION, CERTIFICATE} & set(changed):
            await self._restart_bus(text_of)
        return changed

    def _refuse_another_bus(self, configured: Mapping[str, bytes]) -> None:
        """Refuse a bus whose number of nodes changes between one and several.

        Raises:
            Rejected: one node is to become several, or the other way round.

        """
        settings = self.settings
        was_one = not objects.is_clustered(configured[objects.CONFIGURATION].decode())
        if was_one != (settings.bus_nodes == 1):
            raise Rejected(
                SetupRefusal.BUS_DIFFERS,
                f"the bus {settings.bus!r} was set up as {'one node' if was_one else 'several'}, "
                "and its streams would be lost: keep COUNTERSIGN_BUS_NODES as it was, or back up "
                f"the streams, delete the Secret {CONFIGURATION!r} and restore them",
            )

    async def _keep(self, name: str, data: Mapping[str, bytes], changed: list[str]) -> None:
        if await self._read(name) != data:
            await self._apply(name, data)
            changed.append(name)

    async def _restart_bus(self, configuration: str) -> None:
        """Have the nodes start again one after another; they read both at their start."""
        settings = self.settings
        marked = {objects.CONFIGURATION_ANNOTATION: objects.mark(configuration, self.now())}
        body = {"spec": {"template": {"metadata": {"annotations": marked}}}}
        path = f"/apis/apps/v1/namespaces/{settings.namespace}/statefulsets/{settings.bus}"
        await self.api.call("PATCH", path, body=body, content_type=MERGE)

    async def _keys(self, changed: list[str]) -> dict[str, str]:
        with tempfile.TemporaryDirectory() as folder:
            for user in USERS:
                found = await self._read(objects.nkey_secret(user))
                if found is not None:
                    (Path(folder) / f"{user}.nk").write_bytes(found[objects.SEED])
            public = make_keys(Path(folder))
            for user in USERS:
                name = objects.nkey_secret(user)
                if await self._read(name) is None:
                    await self._create(
                        name, {objects.SEED: (Path(folder) / f"{user}.nk").read_bytes()}
                    )
                    changed.append(name)
        return public

    async def _readers(self, changed: list[str]) -> tuple[Reader, ...]:
        """Make keys of those who are listed, and forget those of who is listed no more."""
        path = self.settings.readers_file
        listed = read_document(path, ReaderList).readers if path is not None else ()
        found = await self._read(READERS)
        if found is None and not listed:
            return ()
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for each in listed:
                if (seed := (found or {}).get(objects.reader_key(each.name))) is not None:
                    reader_files.seed_of(folder, each.name).write_bytes(seed)
            made = [
                reader_files.add(folder, each.name, namespaces=each.namespaces) for each in listed
            ]
            seeds = {
                objects.reader_key(each.name): reader_files.seed_of(folder, each.name).read_bytes()
                for each in made
            }
        await self._keep(READERS, seeds, changed)
        return tuple(made)

    async def _session_key(self, changed: list[str]) -> None:
        """Make the key by which the gateway's replicas read each other's sessions."""
        if await self._read(SESSIONS) is None:
            await self._create(SESSIONS, {objects.SESSION_KEY: self.dice(SESSION_KEY_BYTES)})
            changed.append(SESSIONS)

    async def _certificate(self, changed: list[str]) -> None:
        settings, now = self.settings, self.now()
        names = objects.bus_names(
            settings.bus, namespace=settings.namespace, nodes=settings.bus_nodes
        )
        found = await self._read(CERTIFICATE)
        if found is not None and is_fit(found.get("tls.crt", b""), names=names, now=now):
            return
        authority = await self._authority(changed)
        made = make_certificate(names, authority=authority, now=now)
        await self._apply(
            CERTIFICATE,
            {"ca.crt": authority.certificate, "tls.crt": made.certificate, "tls.key": made.key},
        )
        changed.append(CERTIFICATE)

    async def _authority(self, changed: list[str]) -> Certificate:
        found = await self._read(AUTHORITY)
        if found is not None:
            return Certificate(certificate=found["ca.crt"], key=found["ca.key"])
        made = make_authority(now=self.now())
        await self._create(AUTHORITY, {"ca.crt": made.certificate, "ca.key": made.key})
        changed.append(AUTHORITY)
        return made

    @property
    def _path(self) -> str:
        return f"/api/v1/namespaces/{self.settings.namespace}/secrets"

    async def _read(self, name: str) -> dict[str, bytes] | None:
        try:
            found = await self.api.call("GET", f"{self._path}/{name}")
        except Rejected as refusal:
            if refusal.reason == ClusterRefusal.NOT_FOUND:
                return None
            raise
        data = mapping(found, "data")
        return {key: base64.b64decode(text(data, key)) for key in data}

    async def _create(self, name: str, data: Mapping[str, bytes]) -> None:
        made = objects.secret(name, namespace=self.settings.namespace, data=data)
        await self.api.call("POST", self._path, body=made)

    async def _apply(self, name: str, data: Mapping[str, bytes]) -> None:
        made = objects.secret(name, namespace=self.settings.namespace, data=data)
        query = {"fieldManager": _FIELD_MANAGER, "force": "true"}
        await self.api.call(
            "PATCH", f"{self._path}/{name}", query=query, body=made, content_type=APPLY
        )
