"""The certificate that signs films: the user's own, or one that is made on this machine for trying.

c2pa-rs 0.91.3, tried on 2026-11-29, wants an issuer of its own, the key usage `digitalSignature`, and an extended one
such as `emailProtection`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from storyreel.specs.frozen import Frozen
from storyreel.specs.problems.phrases import reason
from storyreel.tasks.credentials.library import REMEDY, CredentialsError, is_installed, library
from storyreel.tasks.settings import CERTIFICATE, CERTIFICATE_KEY, HOME, Settings, SettingsError
from storyreel.tasks.storage.files import create_secret

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

_SELF_MADE = "credentials.pem"
"""In the home: a key, its certificate, and that of its issuer, whose own key is not kept."""
SELF_MADE_NAME = "self-made for trying"
"""Whose a certificate is that a machine has made itself."""
_YEARS = timedelta(days=3650)
_HOW = f"set {CERTIFICATE} and {CERTIFICATE_KEY} to two files in PEM, or unset both for a self-made certificate"


class Certificate(Frozen):
    """A certificate and where its key is. The key is read when a film is signed, and nowhere held."""

    chain: str
    """In PEM, the certificate first and then its issuers."""
    key_file: Path
    algorithm: str
    """As C2PA names it: `es256`."""
    name: str
    """Whose it is, for people."""
    is_self_made: bool = False
    timestamps: str = ""
    """Address of the authority that says when it has signed; empty without one."""

    @property
    def anchors(self) -> str:
        """The certificates of its issuers, in PEM; empty if they are not in its file."""
        return "".join(_pem(each) for each in _certificates(self.chain.encode())[1:])

    def key(self) -> bytes:
        """The private key in PKCS #8. Raises SettingsError."""
        from cryptography.hazmat.primitives import serialization as form

        private = _private_key(self.key_file)
        return private.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())


def certificate_of(environment: Mapping[str, str] = os.environ) -> Certificate:
    """The certificate that STORYREEL_CERTIFICATE names, else the home's own, which is made at its first use.

    Raises SettingsError for one that cannot be used, and CredentialsError if there is none and none can be written.
    """
    library()
    settings = Settings.read(environment)
    return users_own(settings) or _self_made(settings.home)


def known_issuers(environment: Mapping[str, str] = os.environ) -> str:
    """The issuers of the certificates with which this machine signs, in PEM; empty if it never has."""
    settings = Settings.read(environment)
    known = ""
    with suppress(OSError, ValueError):
        known += _chain_anchors((settings.home / _SELF_MADE).read_bytes())
    if settings.certificate:
        with suppress(OSError, ValueError):
            known += _chain_anchors(settings.certificate.read_bytes())
    return known


def issuers_in(file: Path) -> str:
    """The certificates in a file, in PEM. Raises CredentialsError if it cannot be read or holds none."""
    try:
        return "".join(map(_pem, _certificates(file.read_bytes())))
    except OSError as error:
        raise CredentialsError(f"{file} cannot be read: {reason(error)}") from error
    except ValueError as error:
        raise CredentialsError(f"{file} holds no certificate in PEM") from error


def signing_note(environment: Mapping[str, str] = os.environ) -> str:
    """A note on the signatures that are made here; empty if they are made with the user's certificate."""
    settings = Settings.read(environment)
    if not is_installed():
        return f"the film cannot have its Content Credentials, because c2pa-python is not installed: {REMEDY}"
    try:
        if users_own(settings):
            return ""
    except SettingsError as error:
        return f"the film cannot be signed: {error}"
    return (
        "the Content Credentials are signed with a self-made certificate, for trying: others are told that the signer "
        f"is unknown, until {CERTIFICATE} and {CERTIFICATE_KEY} name your own"
    )


def users_own(settings: Settings) -> Certificate | None:
    """The certificate that the variables name; None if they name none. Raises SettingsError."""
    file, key_file = settings.certificate, settings.certificate_key
    if not (file and key_file):
        if file or key_file:
            given, missing = (CERTIFICATE, CERTIFICATE_KEY) if file else (CERTIFICATE_KEY, CERTIFICATE)
            raise SettingsError(missing, f"{given} is set, and {missing} is not", hint=_HOW)
        return None
    try:
        chain = _certificates(file.read_bytes())
    except OSError as error:
        raise SettingsError(CERTIFICATE, f"{CERTIFICATE}: {file}: {reason(error)}", hint=_HOW) from error
    except ValueError as error:
        raise SettingsError(CERTIFICATE, f"{CERTIFICATE}: {file} holds no certificate in PEM", hint=_HOW) from error
    private, now = _private_key(key_file), datetime.now(UTC)
    if _public(private.public_key()) != _public(chain[0].public_key()):
        message = f"the key of {CERTIFICATE_KEY} is not that of the first certificate in {file}"
        raise SettingsError(CERTIFICATE_KEY, message, hint="the certificate comes first, then its issuers")
    if not chain[0].not_valid_before_utc <= now <= chain[0].not_valid_after_utc:
        begin, end = chain[0].not_valid_before_utc, chain[0].not_valid_after_utc
        message = f"the certificate in {file} is valid from {begin:%Y-%m-%d} to {end:%Y-%m-%d}"
        raise SettingsError(CERTIFICATE, message, hint="ask its issuer for a new one")
    return _certificate(chain, key_file, private).model_copy(update={"timestamps": settings.timestamp_url})


def _self_made(home: Path) -> Certificate:
    file = home / _SELF_MADE
    try:
        with suppress(FileNotFoundError):
            return _read_self_made(file)
        create_secret(file, _make())
        return _read_self_made(file)
    except OSError as error:
        hint = f"make it writable, or set {HOME} to another folder"
        raise CredentialsError(f"no certificate can be kept in {home}: {reason(error)}", hint=hint) from error


def _read_self_made(file: Path) -> Certificate:
    """Raises OSError, and CredentialsError if it is not what was written or has expired."""
    try:
        chain = _certificates(file.read_bytes())
        found = _certificate(chain, file, _private_key(file)).model_copy(update={"is_self_made": True})
        if datetime.now(UTC) <= chain[0].not_valid_after_utc:
            return found
    except (ValueError, SettingsError):
        pass
    raise CredentialsError(f"{file} is damaged or has expired", hint="remove it: another one is made then")


def _certificate(chain: list[x509.Certificate], key_file: Path, private: PrivateKeyTypes) -> Certificate:
    from cryptography.x509.oid import NameOID

    names = [chain[0].subject.get_attributes_for_oid(kind) for kind in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME)]
    name = next((str(found[0].value) for found in names if found), "unnamed")
    text = "".join(map(_pem, chain))
    return Certificate(chain=text, key_file=key_file, algorithm=_algorithm(private), name=name)


def _algorithm(private: PrivateKeyTypes) -> str:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if isinstance(private, ec.EllipticCurvePrivateKey):
        if found := {256: "es256", 384: "es384", 521: "es512"}.get(private.key_size):
            return found
    elif isinstance(private, rsa.RSAPrivateKey):
        return "ps256"
    elif isinstance(private, ed25519.Ed25519PrivateKey):
        return "ed25519"
    message = f"{CERTIFICATE_KEY}: C2PA signs with keys of the kinds P-256, P-384, P-521, RSA and Ed25519 alone"
    raise SettingsError(CERTIFICATE_KEY, message, hint="ask for a certificate with such a key")


def _private_key(file: Path) -> PrivateKeyTypes:
    """Raises SettingsError."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        return load_pem_private_key(file.read_bytes(), password=None)
    except OSError as error:
        message = f"the file that {CERTIFICATE_KEY} names cannot be read: {reason(error)}"
        raise SettingsError(CERTIFICATE_KEY, message, hint=_HOW) from error
    except TypeError as error:
        message = f"the key that {CERTIFICATE_KEY} names has a passphrase, and there is no way to give it"
        next = "openssl pkey -in with-passphrase.pem -out key.pem"
        raise SettingsError(CERTIFICATE_KEY, message, hint="name a key without one", next=next) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        message = f"the file that {CERTIFICATE_KEY} names holds no private key in PEM"
        raise SettingsError(CERTIFICATE_KEY, message, hint=_HOW) from error


def _make() -> str:
    """A key, its certificate and that of its issuer, in PEM."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    issuer_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    begin = datetime.now(UTC) - timedelta(days=1)  # clocks of other machines

    def named(name: str) -> x509.Name:
        names = {NameOID.ORGANIZATION_NAME: "Storyreel", NameOID.COMMON_NAME: name}
        return x509.Name([x509.NameAttribute(kind, value) for kind, value in names.items()])

    def signed(name: str, of: ec.EllipticCurvePrivateKey, *, is_issuer: bool) -> str:
        usage = x509.KeyUsage(
            digital_signature=not is_issuer, content_commitment=False, key_encipherment=False, data_encipherment=False,
            key_agreement=False, key_cert_sign=is_issuer, crl_sign=is_issuer, encipher_only=False, decipher_only=False,
        )  # fmt: skip
        made = (
            x509.CertificateBuilder()
            .subject_name(named(name))
            .issuer_name(named(f"{SELF_MADE_NAME}, issuer"))
            .public_key(of.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(begin + _YEARS)
            .add_extension(x509.BasicConstraints(ca=is_issuer, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(of.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        )
        if not is_issuer:
            made = made.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
        return _pem(made.sign(issuer_key, hashes.SHA256()))

    private = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()).decode()
    own = signed(SELF_MADE_NAME, key, is_issuer=False)
    return private + own + signed(f"{SELF_MADE_NAME}, issuer", issuer_key, is_issuer=True)


def _certificates(content: bytes) -> list[x509.Certificate]:
    """Raises ValueError if there is none."""
    from cryptography import x509

    return x509.load_pem_x509_certificates(content)


def _chain_anchors(content: bytes) -> str:
    return "".join(map(_pem, _certificates(content)[1:]))


def _pem(certificate: x509.Certificate) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM).decode()


def _public(key: object) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return bytes(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))  # type: ignore[attr-defined]
