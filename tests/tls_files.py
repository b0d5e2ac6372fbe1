"""Certificates for tests: a small authority that signs what a test asks for, in files as people have them."""
from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = timedelta(days=1)


class Authority:
    """A CA; its own certificate is the file `ca`. Everything lies in `directory`."""

    def __init__(self, directory: Path, name: str = "ca") -> None:
        self.directory = directory
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = named(name)
        self.ca = directory / f"{name}.pem"
        signed = begin(self.name, self.name, self.key).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True).sign(self.key, hashes.SHA256())
        self.ca.write_bytes(signed.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str, *, client: bool = False, days: int = 1, password: str = "") -> tuple[Path, Path]:
        """Write a certificate for 127.0.0.1, ::1 and localhost, and its key; return both files.

        client  one that a transmitter shows instead;  days  until its end, which may be past
        """
        key = ec.generate_private_key(ec.SECP256R1())
        usage = ExtendedKeyUsageOID.CLIENT_AUTH if client else ExtendedKeyUsageOID.SERVER_AUTH
        places = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
                  x509.IPAddress(ipaddress.ip_address("::1"))]
        signed = (begin(named(name), self.name, key, days)
                  .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
                  .add_extension(x509.SubjectAlternativeName(places), critical=False).sign(self.key, hashes.SHA256()))
        certificate, private = self.directory / f"{name}.crt", self.directory / f"{name}.key"
        certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        private.touch(mode=0o600)
        private.write_bytes(key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(password.encode()) if password else serialization.NoEncryption()))
        return certificate, private


def named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def begin(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey,
          days: int = 1) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now - 10 * DAY)
            .not_valid_after(now + days * DAY))
