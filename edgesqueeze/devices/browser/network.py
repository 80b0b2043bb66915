"""The address that others in this network reach this computer by, and a certificate for it."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

from edgesqueeze.errors import MissingToolError
from edgesqueeze.runners.toolchain import Program, find, run_program

LOOPBACK = "127.0.0.1"
ELSEWHERE = ("192.0.2.1", 9)
"""An address that is nobody's (RFC 5737): the way to it shows which card others are reached by."""
OPENSSL = Program(("openssl",), "OpenSSL, for a certificate of this computer's own", ("openssl",))
DAYS = 1
SECONDS = 30.0


def own_address() -> str:
    """This computer's address in its network; that of itself alone where there is no network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as way:
        try:
            # Nothing is sent.
            way.connect(ELSEWHERE)
        except OSError:
            return LOOPBACK
        return str(way.getsockname()[0])


def make_certificate(folder: Path, address: str) -> Path:
    """A key and a certificate for an address, signed by itself, in one file that only its owner reads.

    Args:
        folder: a private folder.
        address: of this computer.

    Raises:
        MissingToolError: there is no ``openssl``, or it fails.
    """
    key, certificate, both = folder / "key.pem", folder / "certificate.pem", folder / "both.pem"
    command = [
        *(find(OPENSSL).path, "req", "-x509", "-nodes", "-newkey", "ec"),
        *("-pkeyopt", "ec_paramgen_curve:prime256v1", "-days", str(DAYS), "-subj", "/CN=EdgeSqueeze"),
        *("-addext", f"subjectAltName=IP:{address}", "-keyout", str(key), "-out", str(certificate)),
    ]
    try:
        said = run_program(command, SECONDS).stderr
    except subprocess.TimeoutExpired as error:
        said = str(error)
    if not (key.is_file() and certificate.is_file()):
        raise MissingToolError(
            "openssl makes no certificate",
            expected="a key and a certificate signed by itself",
            got=said.strip().splitlines()[-1] if said.strip() else "nothing",
            hint="leave out --https: pages run with one thread then",
        )
    both.touch(mode=0o600)
    both.write_bytes(key.read_bytes() + certificate.read_bytes())
    return both
