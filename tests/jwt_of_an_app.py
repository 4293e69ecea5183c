"""Signs the JWT by which a GitHub App says who it is.

Source: https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app
"""

import base64
import json
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def key_pair() -> tuple[rsa.RSAPrivateKey, str]:
    """A new private key, and its public half as PEM."""
    private = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return private, public.decode()


def _part(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")


def signed(key: rsa.RSAPrivateKey, issuer: str, at: datetime, *, lifetime_s: int = 540) -> str:
    """A JWT that its application made at some moment."""
    seconds = int(at.timestamp())
    claims = {"iss": issuer, "iat": seconds - 60, "exp": seconds + lifetime_s}
    head = {"alg": "RS256", "typ": "JWT"}
    body = _part(json.dumps(head).encode()) + b"." + _part(json.dumps(claims).encode())
    return (body + b"." + _part(key.sign(body, padding.PKCS1v15(), SHA256()))).decode()
