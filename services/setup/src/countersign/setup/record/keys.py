"""The administrator's Ed25519 key: its private half makes seals, its public half proves them."""

from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from countersign.contracts.errors import Rejected
from countersign.contracts.record.chain import Seal
from countersign.setup.refusals import SetupRefusal

_MAKE = "openssl genpkey -algorithm ed25519"


def private_key(path: Path) -> Ed25519PrivateKey:
    """Read the key that makes seals.

    Raises:
        Rejected: `bad_key`.

    """
    try:
        key = load_pem_private_key(_read(path), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise Rejected(
            SetupRefusal.BAD_KEY, f"{path} holds no Ed25519 private key; make one with {_MAKE}"
        )
    return key


def public_key(path: Path) -> Ed25519PublicKey:
    """Read the key that proves seals.

    Raises:
        Rejected: `bad_key`.

    """
    try:
        key = load_pem_public_key(_read(path))
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise Rejected(SetupRefusal.BAD_KEY, f"{path} holds no Ed25519 public key")
    return key


def is_genuine(seal: Seal, key: Ed25519PublicKey) -> bool:
    try:
        key.verify(bytes.fromhex(seal.signature), seal.signed_bytes())
    except InvalidSignature:
        return False
    return True


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Rejected(SetupRefusal.BAD_KEY, f"{path}: {error.strerror}") from None
