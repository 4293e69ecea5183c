"""`countersign-cluster`: plays Flux on a directory until it is told to stop."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from countersign.contracts.errors import Rejected
from countersign.kube.access.http_api import KubeSettings
from countersign.local.cluster.control import FILE_NAME, read_control
from countersign.local.cluster.controllers.attempt import Pace
from countersign.local.cluster.mirror import Mirror
from countersign.local.cluster.player import Cluster, ClusterSettings
from countersign.local.refusals import LocalRefusal
from countersign.process.setup import TelemetrySettings, telemetry

_LOOK_S = 0.1
_DESCRIPTION = f"""For demonstrations and tests only: nothing is deployed.

Objects of Flux and Pipelines that are merged to the branch appear in the directory, one file each
(<namespace>.<kind>.<name>.yaml), with the status that Flux would write. What is to fail is listed
in DIR/{FILE_NAME}:

  fail:       [{{kind: HelmRelease, name: podinfo, revision: 6.9.0, how: rollback}}]
  unhealthy:  [{{namespace: prod-b, name: podinfo}}]
  slow_s: 5

With COUNTERSIGN_KUBE_URL the objects are brought into that cluster besides.

`how` is fail, rollback, never-ready or missing; a part that is left out matches everything.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    try:
        given = _parser().parse_args(arguments)
        settings = _settings(given)
        read_control(settings.directory)
        logging, kube = TelemetrySettings(), KubeSettings()
    except Rejected as error:
        print(f"countersign-cluster: {error.message}", file=sys.stderr)
        return 2
    except ValidationError as error:
        fields = ", ".join(".".join(map(str, e["loc"])) for e in error.errors())
        print(f"countersign-cluster: bad settings: {fields}", file=sys.stderr)
        return 2
    with telemetry("cluster", logging):
        return asyncio.run(_run(settings, kube, wait_s=given.wait))


async def _run(settings: ClusterSettings, kube: KubeSettings, *, wait_s: float) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    print(f"playing {settings.git} ({settings.branch}) on {settings.directory}", flush=True)
    if not await _is_there(settings.git, stop=stop, wait_s=wait_s):
        print(f"countersign-cluster: --git {settings.git!r}: no such folder", file=sys.stderr)
        return 2
    async with asyncio.TaskGroup() as group:
        mirroring = kube.in_use and group.create_task(Mirror(settings.directory, kube).run())
        await Cluster(settings).run(stop)
        if mirroring:
            mirroring.cancel()
    return 0


async def _is_there(git: str, *, stop: asyncio.Event, wait_s: float) -> bool:
    """A forge that is started at the same time may still be making the repository."""
    waited_s = 0.0
    while not _is_remote(git) and not _is_folder(git):
        if waited_s >= wait_s:
            return stop.is_set()
        waited_s += _LOOK_S
        with suppress(TimeoutError):
            async with asyncio.timeout(_LOOK_S):
                await stop.wait()
                return True
    return True


def _is_remote(git: str) -> bool:
    return git.startswith(("http://", "https://"))


def _is_folder(git: str) -> bool:
    return Path(git).is_dir()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="countersign-cluster",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    pace = Pace()
    parser.add_argument("--dir", required=True, type=Path, help="where the objects are kept")
    parser.add_argument("--git", required=True, help="the gitops repository: a bare one, or a URL")
    parser.add_argument("--branch", default="main", help="what is merged here is applied")
    parser.add_argument(
        "--path", action="append", default=[], help="folder that is applied; may be given again"
    )
    parser.add_argument("--interval", type=_seconds, default=1.0, help="between two looks, s")
    parser.add_argument(
        "--action", type=_seconds, default=pace.action_s, help="an install or upgrade takes, s"
    )
    parser.add_argument(
        "--retry", type=_seconds, default=pace.retry_s, help="between failed attempts, s"
    )
    parser.add_argument(
        "--timeout", type=_seconds, default=pace.timeout_s_max, help="longest wait for health, s"
    )
    parser.add_argument(
        "--wait", type=_seconds, default=30.0, help="longest wait for the repository to appear, s"
    )
    parser.add_argument(
        "--replace",
        action="append",
        default=[],
        metavar="URL=FOLDER",
        help="read repositories below this URL from this folder; may be given again",
    )
    return parser


def _settings(given: argparse.Namespace) -> ClusterSettings:
    replacements = dict(_replacement(text) for text in given.replace)
    if given.dir.exists() and not given.dir.is_dir():
        raise Rejected(LocalRefusal.NOT_FOUND, f"--dir {str(given.dir)!r} is a file")
    return ClusterSettings(
        directory=given.dir,
        git=given.git,
        branch=given.branch,
        paths=tuple(given.path),
        interval_s=given.interval,
        pace=Pace(action_s=given.action, retry_s=given.retry, timeout_s_max=given.timeout),
        replacements=replacements,
    )


def _replacement(text: str) -> tuple[str, str]:
    # A URL may hold `=`; a folder of a demonstration does not.
    url, equals, folder = text.rpartition("=")
    if not (url and equals and folder):
        raise Rejected(LocalRefusal.BAD_OPTION, f"--replace {text!r}: want URL=FOLDER")
    return url, folder


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 3600:  # noqa: PLR2004 - an hour is beyond any demonstration
        raise argparse.ArgumentTypeError("want 0 to 3600 seconds")
    return value


if __name__ == "__main__":
    sys.exit(main())
