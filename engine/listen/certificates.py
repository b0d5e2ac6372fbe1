"""A listener's certificate and key, as files say now: read at the start, at SIGHUP, and whenever they have changed.

A new context is made each time and used for new connections; those that stand keep the one they began with. Tickets
of earlier sessions end with their context, so a CA that was taken away lets nobody in again. Files that
cannot be used leave the last good ones in place: also a new certificate whose key has not come yet, which the next
look finds.
"""
from __future__ import annotations

import hashlib
import logging
import ssl
import stat
from datetime import UTC, datetime
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509 import InvalidVersion, load_pem_x509_certificate

from engine.clock import SECOND_NS, Clock
from engine.config import ConfigError, Listener

log = logging.getLogger("engine.listen")
# With TLS 1.2 keys are agreed anew for each connection and every record is authenticated; TLS 1.3 has no other suites.
CIPHERS_OF_TLS12 = "ECDHE+AESGCM:ECDHE+CHACHA20"
CERTIFICATE, PRIVATE_KEY = b"-----BEGIN CERTIFICATE-----", b"PRIVATE KEY-----"


class BadPem(Exception):
    """A file that no listener can use: the key of the configuration, its value, and what is allowed."""

    def __init__(self, key: str, value: str, allowed: str) -> None:
        super().__init__(f"{key} = {value!r}: allowed is {allowed}")


class Certificate:
    """What one listener shows.

    context       what the next connection uses
    not_after_s   when the certificate ends, s since 1970
    """

    def __init__(self, listener: Listener, clock: Clock) -> None:
        """Read the files. Raises ConfigError: one line that names key and value."""
        self.listener = listener
        self.context: ssl.SSLContext
        self.not_after_s = 0.0
        self._clock = clock
        self._used: list[bytes] = []     # digests of the files at the last good reading
        self._trouble = ""               # why the last reading was none
        try:
            self._load()
        except BadPem as error:
            raise ConfigError(f"{error} (listener {listener.name})") from None

    def look(self, *, asked: bool = False) -> None:
        """Read the files again if they changed, and log what came of it; with `asked`, log it in any case."""
        try:
            if not self._load() and asked:
                log.info("certificate unchanged", extra={"listener": self.listener.name})
            self._trouble = ""
        except BadPem as error:
            if asked or str(error) != self._trouble:
                log.error("certificate not replaced, the last good one stays", extra={
                    "listener": self.listener.name, "why": str(error)})
            self._trouble = str(error)

    def _load(self) -> bool:
        """Make a context of the files as they are; return whether they differ from those in use. Raises BadPem."""
        one = self.listener
        certificate = read_pem("certificate", one.certificate, CERTIFICATE)
        files = [certificate, read_pem(*holder_of(one), PRIVATE_KEY, private=True),
                 read_pem("client_ca", one.client_ca, CERTIFICATE) if one.client_ca else b""]
        found = [hashlib.sha256(data).digest() for data in files]
        if found == self._used:
            return False
        self.context = make_context(one)
        self._used = found
        self.not_after_s = end_of(certificate)
        over = 0 < self.not_after_s * SECOND_NS < self._clock.wall_ns()
        log.log(logging.WARNING if over else logging.INFO, "certificate has ended" if over else "certificate read",
                extra={"listener": one.name, "end": datetime.fromtimestamp(self.not_after_s, UTC).isoformat()})
        return True


def holder_of(listener: Listener) -> tuple[str, str]:
    """Return the key of the configuration under which the private key stands, and its file."""
    if listener.private_key:
        return "private_key", listener.private_key
    return "certificate", listener.certificate


def read_pem(key: str, file: str, begins: bytes, *, private: bool = False) -> bytes:
    """Return a file's bytes. Raises BadPem, also when it is private and others may read it."""
    try:
        data, mode = Path(file).read_bytes(), Path(file).stat().st_mode
    except OSError as error:
        raise BadPem(key, file, f"a readable PEM file ({error.strerror})") from None
    if begins not in data:
        raise BadPem(key, file, f"a PEM file with {begins.decode().strip('-').removeprefix('BEGIN ')} in it")
    if private and mode & stat.S_IRWXO:
        raise BadPem(key, file, "a file that is closed to others (mode 0600 or 0640), for a private key is in it")
    return data


def make_context(listener: Listener) -> ssl.SSLContext:
    """Return a context with the defaults of today and the listener's files. Raises BadPem."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS_OF_TLS12)
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION | ssl.OP_CIPHER_SERVER_PREFERENCE
    holder = holder_of(listener)
    try:
        # The answer to a question for a password: none. Otherwise OpenSSL would ask on the terminal.
        context.load_cert_chain(listener.certificate, listener.private_key or None, password=lambda: b"")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise BadPem(*holder, "the key of the certificate") from None
        raise BadPem(*holder, "with the certificate a PEM pair that OpenSSL reads, the key without a password "
                                f"({error.reason or 'unreadable'})") from None
    except OSError as error:
        raise BadPem(*holder, f"a readable PEM file ({error.strerror})") from None
    if listener.client_ca:
        try:
            context.load_verify_locations(listener.client_ca)
        except OSError as error:         # ssl.SSLError is one
            raise BadPem("client_ca", listener.client_ca, f"certificates in PEM ({error.strerror})") from None
        required = listener.client_certificate == "required"
        context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
    return context


def end_of(certificate: bytes) -> float:
    """Return when the first certificate of a PEM file ends, s since 1970; 0 when that cannot be read from it."""
    try:
        return load_pem_x509_certificate(certificate).not_valid_after_utc.timestamp()
    except (ValueError, InvalidVersion, UnsupportedAlgorithm):  # OpenSSL took it: no reason to refuse it
        return 0.0
