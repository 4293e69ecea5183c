"""Commands of `nsc` that make and end a reader, for a server whose accounts are JWTs. Pure.

The same account, shares and rights as in `server_config`; every export is private, and each import
carries an activation for that one account.
"""

import shlex
from typing import Final

from countersign.contracts.subjects import EVENT_ROOT
from countersign.messaging.administration.server_config import (
    ACCOUNT,
    READER_CONNECTIONS_MAX,
    READER_SUBSCRIPTIONS_MAX,
)
from countersign.messaging.topology.permissions import TOPOLOGY, permissions
from countersign.messaging.topology.readers import (
    Kind,
    Reader,
    Share,
    account_of,
    publishes,
    shares,
    subscribes,
)

# Exports of an account may not overlap, so there is one of all events; an activation narrows it.
_EVENTS: Final = f"{EVENT_ROOT}.>"
_SHARE: Final = """\
share() {  # exported subject, subject of this reader, its name there, more options
  exported=$1 subject=$2 local=$3; shift 3
  nsc add export --account {ours} --private --name "$exported" --subject "$exported" "$@"
  nsc generate activation --account {ours} --target-account "$reader" \\
    --subject "$subject" --output-file activation.jwt
  nsc add import --account {theirs} --token activation.jwt --name "$subject" \\
    --local-subject "$local"
  rm -f activation.jwt
}"""


def adding(reader: Reader, *, folder: str) -> str:
    """Return commands that make a reader.

    Args:
        reader: its name, key and namespaces.
        folder: where its seed is, which nsc takes over, and its credentials will be.

    """
    theirs, user = shlex.quote(reader.account), shlex.quote(reader.name)
    return "\n".join(
        [
            "# nsc says of an export that another reader has too that it exists; that is fine.",
            f"nsc add account --name {theirs}",
            (
                f"nsc edit account --name {theirs} --conns {READER_CONNECTIONS_MAX} "
                f"--subscriptions {READER_SUBSCRIPTIONS_MAX}"
            ),
            f"reader=$(nsc describe account --name {theirs} --field sub | tr -d '\"')",
            _SHARE.replace("{ours}", ACCOUNT).replace("{theirs}", theirs),
            *(_share(share) for share in shares(reader)),
            "# Who makes the durables:",
            f"nsc edit user --account {ACCOUNT} --name {TOPOLOGY} \\",
            f"  --allow-pub {shlex.quote(','.join(_management(reader)))}",
            f"nsc import keys --dir {shlex.quote(folder)}",
            f"nsc add user --account {theirs} --name {user} --public-key {reader.public_key} \\",
            f"  --allow-pub {shlex.quote(','.join(publishes(reader)))} \\",
            f"  --allow-sub {shlex.quote(','.join(subscribes(reader)))}",
            (
                f"nsc generate creds --account {theirs} --name {user} "
                f"--output-file {shlex.quote(f'{folder}/{reader.name}.creds')}"
            ),
            f"nsc push --account {ACCOUNT}; nsc push --account {theirs}",
        ]
    )


def revoking(name: str) -> str:
    """Return commands that end a reader: its account, and with it open connections."""
    theirs = shlex.quote(account_of(name))
    return f"nsc delete account --name {theirs} --rm-nkey --rm-creds\nnsc push --all --prune"


def _management(reader: Reader) -> tuple[str, ...]:
    before = permissions(TOPOLOGY).publish
    return tuple(s for s in permissions(TOPOLOGY, readers=(reader,)).publish if s not in before)


def _share(share: Share) -> str:
    is_event = share.kind is Kind.STREAM
    words = [_EVENTS if is_event else share.subject, share.subject, share.local]
    more = "" if is_event else " --service"
    if share.many:
        more += " --response-type Stream"
    return f"share {' '.join(map(shlex.quote, words))}{more}"
