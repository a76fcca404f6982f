"""The real restic, asked which of many snapshots it would forget.

restic's own `backup` takes a second for each snapshot, and always now. So a repository of snapshots with any
times is written here, as "References: Design" in restic's documentation describes version 1 of its format:
JSON documents, encrypted with AES-256 in counter mode and authenticated with Poly1305-AES, each in a file
that bears its SHA-256 as its name. The snapshots refer to no data: `forget --dry-run` never looks at it.
"""

import json
import os
import shutil
import subprocess
import tempfile
import time
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from hashlib import scrypt, sha256
from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR, ECB
from cryptography.hazmat.primitives.poly1305 import Poly1305

PACKAGE = "Debian's package restic (apt-get install restic)"
"""What to install where `find` finds nothing."""

_PASSWORD = "holdfast"  # noqa: S105 -- it opens nothing but repositories of this module's making
_SALT = bytes(range(64))
_SCRYPT_N, _SCRYPT_R, _SCRYPT_P = 2, 1, 1  # the cheapest there are: there is nothing to protect
_TREE = "0" * 64
_CHUNKER = "3da3358b4dc173"  # restic refuses a polynomial that is not irreducible; this is from its own tests
_ROOM_BYTES = 2 * 1024**3  # a small file takes 4 KiB: 100,000 snapshots take 400 MiB


@dataclass(frozen=True, slots=True, kw_only=True)
class Restic:
    """The program, and its version as (0, 14)."""

    program: str
    version: tuple[int, int]


def find() -> Restic | None:
    """The restic of this machine, if it has one."""
    program = shutil.which("restic")
    if program is None:
        return None
    said = subprocess.run([program, "version"], check=True, capture_output=True, text=True).stdout
    major, minor = said.split()[1].split(".")[:2]
    return Restic(program=program, version=(int(major), int(minor)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """What restic decided for one host: the instants that it keeps and those that it removes, unordered."""

    keep: list[datetime]
    remove: list[datetime]


class _Key:
    """Two keys, as restic has them: one to encrypt, one (k for AES-128, r for Poly1305) to authenticate."""

    def __init__(self, material: bytes) -> None:
        self._encrypt, self._mac_k, self._mac_r = material[:32], material[32:48], material[48:64]
        self._block = Cipher(AES(self._mac_k), ECB()).encryptor()  # noqa: S305 -- for a block, as Poly1305-AES
        self._nonces = 0

    def seal(self, plain: bytes) -> bytes:
        """Nonce, ciphertext and authentication code. Nonces are counted and so never the same twice."""
        self._nonces += 1
        nonce = self._nonces.to_bytes(8) + bytes(8)
        encrypted = Cipher(AES(self._encrypt), CTR(nonce)).encryptor().update(plain)
        tag = Poly1305.generate_tag(self._mac_r + self._block.update(nonce), encrypted)
        return nonce + encrypted + tag

    def document(self) -> dict[str, object]:
        """The key as restic writes it down."""
        mac = {"k": b64encode(self._mac_k).decode(), "r": b64encode(self._mac_r).decode()}
        return {"mac": mac, "encrypt": b64encode(self._encrypt).decode()}


@contextmanager
def a_repository(restic: Restic) -> Iterator["Repository"]:
    """A repository that is gone afterwards. Where there is room it lies in memory: a disk takes several times
    as long to make many small files as restic to read them."""
    memory = Path("/dev/shm")  # noqa: S108 -- TemporaryDirectory makes a folder of its own in it
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > _ROOM_BYTES
    with tempfile.TemporaryDirectory(prefix="restic-", dir=memory if roomy else None) as folder:
        yield Repository(Path(folder), restic)


class Repository:
    """A restic repository, empty at first, in a folder that is made for it.

    `seconds` is the time spent in restic's processes so far.
    """

    def __init__(self, folder: Path, restic: Restic) -> None:
        self.seconds = 0.0
        self._folder = folder
        self._restic = restic
        self._key = _Key(sha256(b"encrypt").digest() + sha256(b"authenticate").digest())
        for name in ("data", "index", "keys", "locks", "snapshots"):
            (folder / name).mkdir(parents=True)
        of_password = _Key(
            scrypt(_PASSWORD.encode(), salt=_SALT, n=_SCRYPT_N, r=_SCRYPT_R, p=_SCRYPT_P, dklen=64)
        )
        self._save("keys", _json(_key_document(of_password.seal(_json(self._key.document())))))
        config = {"version": 1, "id": sha256(b"repository").hexdigest(), "chunker_polynomial": _CHUNKER}
        (folder / "config").write_bytes(self._key.seal(_json(config)))

    def add(self, host: str, moments: Iterable[datetime]) -> None:
        """Write a snapshot of the host for each of the moments, whose zone is written as its offset: restic
        finds a snapshot's hour, day and week in the zone that it was made in."""
        for moment in moments:
            snapshot = {"time": moment.isoformat(), "tree": _TREE, "paths": ["/"], "hostname": host}
            self._save("snapshots", self._key.seal(_json(snapshot)))

    def forget(self, keep: Sequence[str], zone: str) -> Mapping[str, Forgotten]:
        """What restic, on a machine in that zone, would keep and remove of each host.

        `keep` is the policy as options of restic: `--keep-daily=7`.
        """
        output = self.run("forget", "--dry-run", "--json", "--group-by", "host", *keep, zone=zone)
        return {
            group["host"]: Forgotten(keep=_times(group["keep"]), remove=_times(group["remove"]))
            for group in json.loads(output)
        }

    def run(self, *arguments: str, zone: str = "UTC") -> bytes:
        """What a restic command prints. It touches nothing but the repository: no cache, no lock."""
        started = time.perf_counter()
        output = subprocess.run(
            [self._restic.program, "--repo", str(self._folder), "--no-cache", "--no-lock", *arguments],
            env={"RESTIC_PASSWORD": _PASSWORD, "TZ": zone},
            check=True,
            stdout=subprocess.PIPE,
        ).stdout
        self.seconds += time.perf_counter() - started
        return output

    def _save(self, kind: str, content: bytes) -> None:
        path = f"{self._folder}/{kind}/{sha256(content).hexdigest()}"
        # Not with pathlib, which takes three times as long: there are hundreds of thousands of these files.
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        os.write(file, content)
        os.close(file)


def _key_document(sealed: bytes) -> dict[str, object]:
    return {
        "created": "2011-01-01T00:00:00Z",
        "username": "holdfast",
        "hostname": "holdfast",
        "kdf": "scrypt",
        "N": _SCRYPT_N,
        "r": _SCRYPT_R,
        "p": _SCRYPT_P,
        "salt": b64encode(_SALT).decode(),
        "data": b64encode(sealed).decode(),
    }


def _times(snapshots: list[dict[str, str]] | None) -> list[datetime]:
    return [datetime.fromisoformat(one["time"]) for one in snapshots or ()]


def _json(document: object) -> bytes:
    return json.dumps(document).encode()
