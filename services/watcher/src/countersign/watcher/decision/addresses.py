"""Addresses of promotions on the board, and package URLs of what they bring. Pure."""

import re
from typing import Final
from urllib.parse import quote, urlsplit

from countersign.contracts.messages import Revision
from countersign.contracts.subjects import encode_free
from countersign.watcher.model import Situation, Stage

_OCI: Final = "oci://"
# `git@host:owner/name` and everything with a scheme.
_SCP: Final = re.compile(r"(?:[^@/]+@)?([^:/]+):(?!//)(.+)")


def page_of(situation: Situation, environment: str) -> str:
    """The page of a gate on the board, or empty where the board's address is not known."""
    if not situation.board_url:
        return ""
    key = situation.pipeline.key
    path = "/".join(encode_free(name) for name in (key.namespace, key.name, environment))
    return f"{situation.board_url}/p/{path}"


def package_of(situation: Situation, stage: Stage) -> str:
    """The package URL of what an environment runs, or empty where it has no name.

    Source: https://github.com/package-url/purl-spec
    """
    if stage.content is None or not stage.apps:
        return ""
    revision = stage.content.revision
    if chart := stage.apps[0].chart:
        digest = f"?checksum={quote(revision.digest, safe=':')}" if revision.digest else ""
        return f"pkg:helm/{quote(chart, safe='')}@{quote(revision.version, safe='')}{digest}"
    for target in stage.environment.targets:
        url = situation.source_urls.get(situation.pipeline.app_key(target), "")
        if url:
            return _of_image(url, revision) if url.startswith(_OCI) else _of_git(url, revision)
    return ""


def _of_image(url: str, revision: Revision) -> str:
    place = url.removeprefix(_OCI).strip("/").lower()
    name = place.rpartition("/")[2]
    version = f"@{quote(revision.digest, safe='')}" if revision.digest else ""
    tag = f"&tag={quote(revision.tag, safe='')}" if revision.tag else ""
    return f"pkg:oci/{quote(name, safe='')}{version}?repository_url={quote(place, safe='/')}{tag}"


def _of_git(url: str, revision: Revision) -> str:
    scp = _SCP.fullmatch(url)
    parts = urlsplit(f"ssh://{scp[1]}/{scp[2]}" if scp else url)
    path = parts.path.strip("/").removesuffix(".git")
    if not parts.hostname or not path or not revision.commit:
        return ""
    name = quote(path.rpartition("/")[2], safe="")
    # Without a user: what stands before the host may be a password.
    port = f":{parts.port}" if parts.port else ""
    place = quote(f"git+{parts.scheme}://{parts.hostname}{port}/{path}@{revision.commit}", safe="")
    return f"pkg:generic/{name}@{revision.commit}?vcs_url={place}"
