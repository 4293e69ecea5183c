"""The certificate that the bus serves, and the authority that signs it."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME: Final = timedelta(days=825)  # the longest that common clients accept
AUTHORITY_LIFETIME: Final = timedelta(days=3650)
RENEWED_BEFORE: Final = timedelta(days=90)
# Clocks of nodes differ.
BACKDATED: Final = timedelta(minutes=5)


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """A certificate and its key, as PEM."""

    certificate: bytes
    key: bytes


def make_authority(*, now: datetime) -> Certificate:
    """Make an authority for one bus.

    Its key is kept, so that a renewed certificate is trusted by clients that run already.
    """
    key, name = ec.generate_private_key(ec.SECP256R1()), _name("Countersign bus authority")
    made = (
        _builder(name, key=key.public_key(), now=now, lifetime=AUTHORITY_LIFETIME)
        .issuer_name(name)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(_key_id(key), critical=False)
        .sign(key, hashes.SHA256())
    )
    return _written(made, key)


def make_certificate(names: Sequence[str], *, authority: Certificate, now: datetime) -> Certificate:
    """Make a certificate that the bus presents to clients and its nodes to each other.

    Args:
        names: host names and addresses, the most usual first.
        authority: signs it.
        now: when it begins to be valid.

    """
    issuer = x509.load_pem_x509_certificate(authority.certificate)
    issuer_key = serialization.load_pem_private_key(authority.key, password=None)
    if not isinstance(issuer_key, ec.EllipticCurvePrivateKey):
        raise TypeError("the authority's key is none that was made here")
    key = ec.generate_private_key(ec.SECP256R1())
    uses = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    made = (
        _builder(_name(names[0]), key=key.public_key(), now=now, lifetime=LIFETIME)
        .issuer_name(issuer.subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(_key_id(key), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
        .add_extension(x509.ExtendedKeyUsage(uses), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general(n) for n in names]), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )
    return _written(made, key)


def is_fit(pem: bytes, *, names: Sequence[str], now: datetime) -> bool:
    """Tell whether a certificate serves those names for a while yet."""
    try:
        found = x509.load_pem_x509_certificate(pem)
        covered = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound):
        return False
    lasting = found.not_valid_after_utc - now > RENEWED_BEFORE
    return lasting and set(covered) >= {_general(n) for n in names}


def _written(made: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Certificate:
    return Certificate(
        certificate=made.public_bytes(serialization.Encoding.PEM),
        key=key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )


def _builder(
    subject: x509.Name, *, key: ec.EllipticCurvePublicKey, now: datetime, lifetime: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + lifetime)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _key_id(key: ec.EllipticCurvePrivateKey) -> x509.SubjectKeyIdentifier:
    # RFC 5280, 4.2.1.1 and 4.2.1.2: who checks strictly, as Python does from 3.13 on, wants both.
    return x509.SubjectKeyIdentifier.from_public_key(key.public_key())


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
