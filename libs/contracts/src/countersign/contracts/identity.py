"""Ids, digests and names that every service must compute alike."""

import base64
import hashlib
import json
from typing import Final

from countersign.contracts.messages import Destination, PromotionRequested

BRANCH_BYTES_MAX: Final = 100
BRANCH_PREFIX: Final = "countersign"
# What is left then holds the shortest name of a namespace that has to be cut.
BRANCH_PREFIX_CHARACTERS_MAX: Final = 17
_PIPELINE_CHARACTERS_MAX: Final = 30
_ENVIRONMENT_CHARACTERS_MAX: Final = 20
_ATTEMPT_CHARACTERS_MAX: Final = 5
_DIGEST_CHARACTERS: Final = 6


def promotion_id(
    *, pipeline_uid: str, environment: str, content_identity: str, previous_promotion_id: str
) -> str:
    """Name bringing this content into this environment after that promotion, 16 characters.

    The link to the previous one makes 6.9.0 → 6.9.1 → 6.9.0 three promotions.
    """
    parts = json.dumps(
        [pipeline_uid, environment, content_identity, previous_promotion_id], ensure_ascii=False
    )
    digest = hashlib.sha256(parts.encode()).digest()
    return base64.b32encode(digest)[:16].decode().lower()


def consent_digest(request: PromotionRequested, *, merges_itself: bool = False) -> str:
    """SHA-256 of what a person consents to, lower-case hexadecimal.

    It is computed from the event as the stream holds it; nobody passes it along unchecked. A pull
    request that its forge merges by itself is another matter than one that waits for a person.
    """
    to = request.destination
    subject = [
        "countersign/consent/v1",
        request.promotion.pipeline.uid,
        request.promotion.pipeline.generation,
        request.promotion.environment,
        request.marker_key,
        request.current.recorded if request.current else "",
        request.content.identity,
        request.content.revision.recorded,
        to.origin,
        f"{to.owner}/{to.repository}",
        to.base_branch,
        to.path,
    ]
    if request.content.revision.version and request.content.revision.tag:
        # Of a chart, the tag is no part of what was recorded, and it is written.
        subject.append(request.content.revision.tag)
    if merges_itself:
        # A list, which no tag is.
        subject.append(["merges itself"])
    return hashlib.sha256(json.dumps(subject, ensure_ascii=False).encode()).hexdigest()


def repository_url(to: Destination) -> str:
    """The page of the repository, built from its parts."""
    return f"{to.origin}/{to.owner}/{to.repository}"


def head_branch(request: PromotionRequested, *, attempt: int, prefix: str = BRANCH_PREFIX) -> str:
    """Return the branch of a promotion, valid for `git check-ref-format`, at most 100 bytes.

    The id identifies a promotion, and the folder its pipeline and environment: what cannot be
    written as it is carries a digest. A Kubernetes name may end in `.lock`, which git refuses, so
    dots are written `-`.
    """
    ref = request.promotion
    suffix = "" if attempt <= 1 else f"-{attempt}"
    tail = f"/{ref.promotion_id}{suffix}"
    pipeline = _readable(ref.pipeline.name, characters_max=_PIPELINE_CHARACTERS_MAX)
    environment = _readable(ref.environment, characters_max=_ENVIRONMENT_CHARACTERS_MAX)
    # Not of what this attempt's number leaves: all branches of an environment are in one folder.
    tail_max = len(ref.promotion_id) + _ATTEMPT_CHARACTERS_MAX
    left = BRANCH_BYTES_MAX - len(f"{prefix}//{pipeline}/{environment}/") - tail_max
    namespace = _readable(ref.pipeline.namespace, characters_max=left)
    return f"{prefix}/{namespace}/{pipeline}/{environment}{tail}"


def _readable(text: str, *, characters_max: int) -> str:
    plain = "".join(c if c.isascii() and c.isalnum() else "-" for c in text.lower())
    if plain.strip("-") == text and 0 < len(text) <= characters_max:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_CHARACTERS]
    return f"{plain[: characters_max - len(digest) - 1].strip('-') or 'x'}-{digest}"
