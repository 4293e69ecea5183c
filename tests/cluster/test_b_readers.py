"""A tool outside of the cluster reads as docs/subscribe.md says."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

from cluster.machine import Machine
from subscribers.documented import programs

from countersign.local.demo.layout import free_port

# As k8s/overlays/dev lists it.
READER: Final = "tools"
READ_S: Final = 60


def test_program_of_the_document_reads_through_a_forwarded_port(
    installed: Machine, tmp_path: Path
) -> None:
    key, authority, port = tmp_path / "key", tmp_path / "ca.crt", free_port()
    key.write_bytes(installed.secret("countersign-reader-nkeys", f"{READER}.nk"))
    authority.write_bytes(installed.secret("countersign-nats-tls", "ca.crt"))
    program = tmp_path / "replay.py"
    program.write_text(programs()[program.name])
    environment = {
        **os.environ,
        "NATS_URL": f"tls://localhost:{port}",
        "NATS_NKEY": str(key),
        "NATS_CA": str(authority),
        "READER": READER,
    }

    with (
        installed.forwarded("service/nats", port, 4222),
        subprocess.Popen((sys.executable, program), cwd=tmp_path, env=environment) as reading,
    ):
        try:
            until = time.monotonic() + READ_S
            while b"promotion.requested" not in _written(tmp_path) and time.monotonic() < until:
                time.sleep(0.2)
        finally:
            reading.kill()

    assert b"promotion.requested" in _written(tmp_path)


def _written(folder: Path) -> bytes:
    events = folder / "events.ndjson"
    return events.read_bytes() if events.is_file() else b""
