"""Single controllers of Kubernetes beside an API server, which has none of its own."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import reference
from apiserver import STOP_S, ApiServer

PROGRAM: Final = "kube-controller-manager"


@contextmanager
def controlling(server: ApiServer, *controllers: str) -> Iterator[None]:
    """These and no others, as an administrator."""
    config = server.directory / "controllers.kubeconfig"
    config.write_text(server.kubeconfig())
    flags = (
        f"--kubeconfig={config}",
        f"--controllers={','.join(controllers)}",
        "--leader-elect=false",
        "--secure-port=0",
    )
    with (server.directory / f"{PROGRAM}.log").open("ab") as log:
        process = subprocess.Popen([_program(server), *flags], stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _program(server: ApiServer) -> Path:
    """Beside the API server, or else of the reference material, where one file is all programs."""
    if (server.programs / PROGRAM).is_file():
        return server.programs / PROGRAM
    cluster = reference.skip_without("cluster/cluster")
    folder = server.directory / "controllers"
    folder.mkdir(exist_ok=True)
    subprocess.run(["bash", cluster, "assets", folder], check=True, capture_output=True)
    link = folder / PROGRAM
    if not link.exists():
        link.hardlink_to(folder / "kube-apiserver")
    return link
