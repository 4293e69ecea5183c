"""Every parser of bytes that others write: what it is fed, and how it may refuse."""

import json
import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import joserfc.jwt
import msgspec
import yaml
from doubles import webhook_senders
from fuzz.mutation import json_bytes, mangled, mutated, yaml_bytes
from joserfc.jwk import RSAKey
from reference import ROOT

from countersign.contracts.errors import Rejected, Retryable
from countersign.contracts.forge_list import ForgeList
from countersign.contracts.messages import EVENTS
from countersign.contracts.revision import marker_value, parse_revision
from countersign.contracts.secret import Secret
from countersign.contracts.subjects import event_subject
from countersign.dialects.hooks.schemes import Delivery
from countersign.dialects.kinds import KINDS
from countersign.gateway.oidc.claims import ClaimRules, person_of
from countersign.gateway.oidc.id_tokens import Expected, key_id, read_keys, verified
from countersign.gateway.oidc.provider import read_metadata
from countersign.kube.flux.rules import read_object
from countersign.kube.pipelines.hook_secrets import read_hook_secrets
from countersign.kube.pipelines.pipeline import read_pipeline
from countersign.kube.watches.kubeconfigs import read_kubeconfig
from countersign.kube.yaml_documents import documents
from countersign.local.demo.manifests import Gitops
from countersign.messaging.envelope import Place, parse_time, read_event
from countersign.pr_writer.parser.scanning import find
from countersign.process.configuration import read_document
from countersign.telemetry.redaction import redact
from countersign.watcher.hints.flux_events import read_event as read_flux_event

Draw = Callable[[random.Random], bytes]
ISSUER, CLIENT, NONCE, NOW_S = "https://sso.test", "countersign", "n" * 43, 1_795_000_000
REFUSALS: Final = (Rejected, Retryable)


@dataclass(frozen=True, kw_only=True)
class Target:
    """A parser. It may refuse with `refusals`; anything else that it raises is a fault."""

    name: str
    draw: Draw
    parse: Callable[[bytes], object]
    refusals: tuple[type[Exception], ...] = REFUSALS
    seconds_max: float = 2.0


def _of_json(*documents: Any) -> Draw:
    return lambda chance: json_bytes(chance.choice(documents), chance)


def _of_yaml(*documents: Any) -> Draw:
    return lambda chance: yaml_bytes(chance.choice(documents), chance)


def _of_text(*texts: str) -> Draw:
    """Text that somebody typed."""

    def draw(chance: random.Random) -> bytes:
        text = mutated([chance.choice(texts)], chance)
        made = str(text[0] if isinstance(text, list) and text else text)
        return made.encode("utf-8", "surrogatepass")

    return draw


def _text(body: bytes) -> str:
    return body.decode("utf-8", "surrogateescape")


def webhooks() -> Iterator[Target]:
    """Everything is authentic: who administers a repository can sign what they like."""
    kinds = {kind.name.lower().replace("_", "-"): row for kind, row in KINDS.items()}
    for sender in webhook_senders.SENDERS:
        headers, _ = sender.write(merged=True)
        payloads = [sender.write(merged=merged)[1] for merged in (True, False)]
        scheme = kinds[sender.kind].webhooks

        def read(body: bytes, scheme: Any = scheme, headers: Any = headers) -> object:
            return scheme.read_fate(Delivery(headers=headers, body=body))

        yield Target(name=f"webhook-{sender.name}", draw=_of_json(*payloads), parse=read)


def messages() -> Iterator[Target]:
    """All events, as a service with stolen rights could publish them."""
    examples = {
        model: json.loads((ROOT / f"proto/examples/{model.__name__}.json").read_text())
        for model in EVENTS
    }
    subjects = {model: event_subject(model.model_validate(one)) for model, one in examples.items()}

    def draw(chance: random.Random) -> bytes:
        model = chance.choice(list(examples))
        return subjects[model].encode() + b"\n" + json_bytes(examples[model], chance)

    def read(line: bytes) -> object:
        subject, _, body = line.partition(b"\n")
        place = Place(stream="S", sequence=1, recorded_at=parse_time("2026-11-23T08:00:00Z"))
        return read_event(subject=_text(subject), headers={}, body=body, place=place)

    yield Target(name="message", draw=draw, parse=read)


def flux() -> Iterator[Target]:
    event = {
        "involvedObject": {"kind": "HelmRelease", "namespace": "shop", "name": "checkout",
                           "apiVersion": "helm.toolkit.fluxcd.io/v2"},
        "severity": "info", "timestamp": "2026-11-23T08:00:00Z", "message": "m",
        "reason": "UpgradeSucceeded", "metadata": {"revision": "6.9.0", "env": "prod"},
    }  # fmt: skip
    yield Target(name="flux-event", draw=_of_json(event), parse=read_flux_event)


def sign_in() -> Iterator[Target]:
    """Tokens are truly signed: it is the provider that is odd, or hostile."""
    key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"}, private=True)
    public = RSAKey.import_key(key.as_dict(private=False))
    claims = {
        "iss": ISSUER, "aud": CLIENT, "azp": CLIENT, "sub": "grace", "exp": NOW_S + 600,
        "iat": NOW_S, "nbf": NOW_S, "nonce": NONCE, "email": "grace@example.org",
        "email_verified": True, "name": "Grace", "groups": ["developers", "shop"],
    }  # fmt: skip
    keep = {"iss": ISSUER, "aud": CLIENT, "nonce": NONCE, "exp": NOW_S + 600, "iat": NOW_S}
    expected = Expected(issuer=ISSUER, client_id=CLIENT, nonce=NONCE, now_s=NOW_S)
    metadata = {
        "issuer": ISSUER, "authorization_endpoint": f"{ISSUER}/auth",
        "token_endpoint": f"{ISSUER}/token", "jwks_uri": f"{ISSUER}/jwks",
        "end_session_endpoint": f"{ISSUER}/end", "scopes_supported": ["openid", "groups"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
    }  # fmt: skip

    def token(chance: random.Random) -> bytes:
        made = mutated(claims, chance)
        made = {**made, **keep} if chance.random() < 0.7 else made
        try:
            text = joserfc.jwt.encode({"alg": "RS256", "kid": "one"}, made, key)
        except (ValueError, TypeError):
            text = "e30.e30.e30"
        return mangled(text.encode(), chance) if chance.random() < 0.2 else text.encode()

    def read(body: bytes) -> object:
        text = _text(body)
        key_id(text)
        return person_of(verified(text, public, expected), ClaimRules())

    def read_document_of(parse: Callable[[Any], object]) -> Callable[[bytes], object]:
        def parsed(body: bytes) -> object:
            try:
                document = json.loads(body)
            except (ValueError, RecursionError):
                return None
            return parse(document) if isinstance(document, dict) else None

        return parsed

    jwks = {"keys": [public.as_dict(), {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}]}
    yield Target(name="id-token", draw=token, parse=read)
    yield Target(name="jwks", draw=_of_json(jwks), parse=read_document_of(read_keys))
    metadata_of = read_document_of(lambda d: read_metadata(d, issuer=ISSUER))
    yield Target(name="oidc-metadata", draw=_of_json(metadata), parse=metadata_of)


def cluster() -> Iterator[Target]:
    config = {
        "apiVersion": "v1", "kind": "Config", "current-context": "it",
        "clusters": [{"name": "it", "cluster": {"server": "https://k.test:6443",
                      "certificate-authority-data": "QUFB", "proxy-url": ""}}],
        "users": [{"name": "me", "user": {"token": "made-up", "exec": {"command": "x"}}}],
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "me"}}],
    }  # fmt: skip
    commit = "a" * 40
    site = Gitops(forge_url="https://f.test", website_url="https://f.test/w", website_commit=commit)
    texts = [text for path, text in site.files().items() if path.endswith(".yaml")]
    objects = [one for text in texts for one in yaml.safe_load_all(text) if one]
    recorded = json.loads((ROOT / "tests/fuzz/objects.json").read_text())
    pipelines = [one for one in objects if one["kind"] == "Pipeline"]

    def read_file(body: bytes) -> object:
        return [_read_manifest(one) for one in documents(body)]

    yield Target(
        name="kubeconfig",
        draw=_of_yaml(config),
        parse=lambda body: read_kubeconfig(Secret(_text(body)), may_exec=False),
    )
    yield Target(
        name="manifest-file",
        draw=lambda chance: mangled(chance.choice(texts).encode(), chance),
        parse=read_file,
        refusals=(*REFUSALS, yaml.YAMLError, UnicodeDecodeError),
    )
    yield Target(
        name="pipeline",
        draw=_of_json(*pipelines),
        parse=lambda body: _read_manifest(_document(body)),
    )
    yield Target(
        name="flux-object",
        draw=_of_json(*recorded, *objects),
        parse=lambda body: _read_manifest(_document(body)),
    )
    yield Target(
        name="markers",
        draw=lambda chance: mangled(chance.choice(texts).encode(), chance),
        parse=find,
    )


def _document(body: bytes) -> Any:
    """As the watcher reads what an API server answers."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def _read_manifest(manifest: Any) -> object:
    """As the API server would hand it out: an object that has a kind and a name."""
    if not isinstance(manifest, dict) or not isinstance(manifest.get("metadata"), dict):
        return None
    if not all(isinstance(manifest["metadata"].get(n), str) for n in ("name", "namespace")):
        return None
    if not all(isinstance(manifest.get(n), str) for n in ("kind", "apiVersion")):
        return None
    if manifest["kind"] == "Pipeline":
        read_hook_secrets(manifest, namespace=manifest["metadata"]["namespace"])
        return read_pipeline(manifest)
    return read_object(manifest)


def settings(directory: Path) -> Iterator[Target]:
    forges = {
        "forges": [
            {"name": "GitHub", "kind": "github", "origin": "https://github.com",
             "clientId": "Iv1.x", "clientSecretFile": "/run/secret",
             "repositories": {"shop": ["shop/gitops", "shop/*"]}},
            {"name": "Gitea", "kind": "gitea", "origin": "https://git.test"},
        ]
    }  # fmt: skip
    path = directory / "forges.yaml"

    def read(body: bytes) -> object:
        path.write_bytes(body)
        return read_document(path, ForgeList)

    # An administrator's own file, read in Python: the loader in C crashes on what is nested deeply.
    yield Target(name="forge-list", draw=_of_yaml(forges), parse=read, seconds_max=10.0)


def texts() -> Iterator[Target]:
    recorded = ("6.9.0", "6.9.0+702cabdc4401", "main@sha1:" + "a" * 40, "latest@sha256:" + "b" * 64)
    urls = (
        "https://github.com/shop/gitops.git", "git@github.com:shop/gitops.git",
        "ssh://git@ssh.dev.azure.com/v3/o/p/r", "https://bb.test/scm/PROJ/repo.git",
        "https://org@dev.azure.com/org/my%20project/_git/repo",
    )  # fmt: skip

    def revision(body: bytes) -> object:
        # Nobody asks about a revision that is not there, or that is no text.
        parsed = parse_revision(body.decode(errors="replace") or "-")
        for suffix in ("", "tag", "digest", "commit", "name"):
            with suppress(*REFUSALS):
                marker_value(parsed, suffix)
        return parsed

    def address(body: bytes) -> object:
        for row in KINDS.values():
            with suppress(*REFUSALS):
                row.addresses.place_of(_text(body))
        return None

    yield Target(name="revision", draw=_of_text(*recorded), parse=revision)
    yield Target(
        name="log-line",
        draw=_of_text("token=ghu_abc", "Bearer eyJhbGciOiJub25lIn0.e30.x", "https://u:p@h/"),
        parse=lambda body: redact(_text(body)),
    )
    yield Target(name="clone-url", draw=_of_text(*urls), parse=address)


def all_targets(directory: Path) -> tuple[Target, ...]:
    return (
        *webhooks(),
        *messages(),
        *flux(),
        *sign_in(),
        *cluster(),
        *settings(directory),
        *texts(),
    )
