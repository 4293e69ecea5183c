"""`countersign-forge`: serve the forge on loopback until it is told to stop."""

import argparse
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from countersign.local.forge.app import build_app
from countersign.local.forge.serving import Server
from countersign.local.forge.state.seeding import Seed, SeedError, apply_seed, read_seed
from countersign.local.forge.state.store import open_store
from countersign.telemetry.logs import configure_logs

PROGRAM = "countersign-forge"
LISTEN_BACKLOG = 128
PORT_MAX = 65_535
ABOUT = (
    "A forge shaped like GitHub, on this machine, FOR DEMONSTRATIONS AND TESTS ONLY: real git"
    " repositories, pull requests, sign-in (everybody's password is 'demo'), tokens and webhooks."
)


def _port(text: str) -> int:
    number = int(text) if text.isdigit() else -1
    if not 0 <= number <= PORT_MAX:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port; give 0 to {PORT_MAX}")
    return number


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description=ABOUT,
        epilog="REST is at /api/v3, GraphQL at /api/graphql, git at /<owner>/<repository>.git."
        " Faults: PUT /_local/faults; what was called: GET /_local/requests.",
    )
    parser.add_argument("--dir", type=Path, required=True, help="where it keeps its state")
    parser.add_argument("--port", type=_port, default=0, help="port on 127.0.0.1; 0 takes any")
    parser.add_argument("--seed", type=Path, help="YAML with people, repositories, apps, tokens")
    return parser.parse_args(arguments)


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen(LISTEN_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def main(arguments: Sequence[str] | None = None) -> int:
    given = _arguments(arguments)
    configure_logs(service=PROGRAM, level="warning")
    try:
        seed = read_seed(given.seed) if given.seed else Seed()
        listener = _listen(given.port)
    except SeedError as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        text = f"cannot listen on 127.0.0.1:{given.port}: {error.strerror}; give another --port"
        print(f"{PROGRAM}: {text}", file=sys.stderr)
        return 3
    with listener:
        return _serve(given.dir, seed, listener)


def _serve(directory: Path, seed: Seed, listener: socket.socket) -> int:
    origin = f"http://localhost:{listener.getsockname()[1]}"
    with open_store(directory) as store:
        forge = build_app(store, origin=origin)
        try:
            apply_seed(forge.service, seed)
        except SeedError as error:
            print(f"{PROGRAM}: {error}", file=sys.stderr)
            return 2
        print(f"local forge (for demonstrations and tests) at {origin}", flush=True)
        Server(forge.app, signals=True).run(sockets=[listener])
    return 0


if __name__ == "__main__":
    sys.exit(main())
