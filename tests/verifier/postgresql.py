"""A PostgreSQL of the system's on loopback: a child process on a free port, with TLS."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pg8000.native import Connection, Error  # type: ignore[import-untyped]

from local.processes import free_port

HOST = "127.0.0.1"
OWNER, PASSWORD = "owner", "not-a-secret-here"
START_SECONDS = 30
BINARIES = "/usr/lib/postgresql"
"""Where Debian puts them, by version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One that answers. `ca` is the file with the certificate of who signed its own, which is for `HOST` and
    not for `localhost`."""

    port: int
    ca: Path
    version: str

    def connected(self, database: str = "postgres") -> Connection:
        return Connection(OWNER, host=HOST, port=self.port, database=database, password=PASSWORD)

    def run(self, *statements: str, database: str = "postgres") -> None:
        """As the owner of everything."""
        connection = self.connected(database)
        try:
            for one in statements:
                connection.run(one)
        finally:
            connection.close()


def find_postgresql() -> Path | None:
    """The folder with the newest version's programs, if there is one that can be run."""
    found = sorted(Path(BINARIES).glob("*/bin/postgres"), key=lambda path: int(path.parents[1].name))
    named = shutil.which("postgres")
    return found[-1].parent if found else Path(named).parent if named else None


@contextmanager
def started(binaries: Path, folder: Path) -> Iterator[Server]:
    """A server with no database but its own, for as long as this lasts."""
    data, ca = folder / "data", folder / "ca.pem"
    _certificates(folder)
    _hand_over(folder)
    (folder / "password").write_text(PASSWORD)
    _run(binaries / "initdb", "--no-sync", "--username", OWNER, "--pwfile", folder / "password",
         "--auth", "scram-sha-256", "--pgdata", data)  # fmt: skip
    port = free_port()
    options: Mapping[str, object] = {
        "listen_addresses": HOST,
        "port": port,
        "unix_socket_directories": folder,
        "ssl": "on",
        "ssl_cert_file": folder / "server.pem",
        "ssl_key_file": folder / "server.key",
        "fsync": "off",
    }
    # In its file and not on its command line, which nothing could change any more while it runs.
    with (data / "postgresql.conf").open("a") as file:
        file.writelines(f"{name} = '{value}'\n" for name, value in options.items())
    log = (folder / "log").open("wb")
    server = subprocess.Popen(
        [binaries / "postgres", "-D", data], stdout=log, stderr=subprocess.STDOUT, **_as_somebody()
    )
    try:
        yield _answering(server, port, ca, folder / "log")
    finally:
        server.terminate()
        server.wait(timeout=START_SECONDS)
        log.close()


def _answering(server: "subprocess.Popen[bytes]", port: int, ca: Path, log: Path) -> Server:
    until = time.monotonic() + START_SECONDS
    made = Server(port=port, ca=ca, version="")
    while True:
        try:
            connection = made.connected()
        except (Error, OSError):
            if server.poll() is not None or time.monotonic() > until:
                raise AssertionError(f"no PostgreSQL: {log.read_text()}") from None
            time.sleep(0.05)
            continue
        ((version,),) = connection.run("show server_version")
        connection.close()
        return Server(port=port, ca=ca, version=version.split()[0])


def _run(*command: object) -> None:
    done = subprocess.run(
        [str(one) for one in command], check=False, capture_output=True, text=True, **_as_somebody()
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _as_somebody() -> dict[str, Any]:
    """PostgreSQL refuses to run as root."""
    return {"user": "nobody", "cwd": "/"} if os.getuid() == 0 else {}


def _hand_over(folder: Path) -> None:
    if os.getuid() == 0:
        for one in (folder, *folder.iterdir()):
            shutil.chown(one, "nobody")


def _certificates(folder: Path) -> None:
    """An authority, and what it signed for the server."""
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = _certificate("authority", authority_key, "authority", authority_key, is_authority=True)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _certificate("server", key, "authority", authority_key, is_authority=False)
    (folder / "ca.pem").write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    (folder / "server.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "server.key").touch(mode=0o600)
    (folder / "server.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    signer: ec.EllipticCurvePrivateKey,
    *,
    is_authority: bool,
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_named(name))
        .issuer_name(_named(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
        .add_extension(_usage(is_authority), critical=True)
    )
    if not is_authority:
        names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(signer, hashes.SHA256())


def _usage(is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
