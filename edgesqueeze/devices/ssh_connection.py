"""One connection to a board, shared by everything that a measurement does there."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from edgesqueeze.devices.channel import Channel
from edgesqueeze.devices.faults import connect_error, device_fault, lost, no_answer, no_shell
from edgesqueeze.devices.folders import temporary_folder
from edgesqueeze.devices.ssh_host import CONNECT_SECONDS, Host
from edgesqueeze.devices.ssh_start import REMOTE_COMMAND
from edgesqueeze.errors import EdgeSqueezeError, MissingToolError

LOGIN_SECONDS = 30.0
"""Proxies, key exchange, the login shell's start-up files; the TCP connection has a limit of its own."""
MAX_SOCKET_PATH = 80
_ECHO = b"edgesqueeze-is-here"
_ALONE = (("ControlMaster", "no"), ("ControlPath", "none"))


class Connection:
    """A board that we are logged in to; ``connect`` makes one.

    Attributes:
        host: the board.
        shared: whether programs share one connection; else each logs in by itself.
    """

    def __init__(self, host: Host, socket: Path) -> None:
        self.host = host
        self._socket = socket

    @property
    def shared(self) -> bool:
        """Whether programs share one connection."""
        return self._socket.exists()

    def open_shell(self) -> Channel:
        """Start ``sh`` on the board."""
        options = (("ControlMaster", "no"), _path(self._socket)) if self.shared else _ALONE
        name = self.host.destination
        return Channel(
            self.host.command(options, REMOTE_COMMAND),
            lambda status, said: lost(name, status, said),
            lambda fault: device_fault(name, fault),
            _environment(),
        )


@contextlib.contextmanager
def connect(host: Host) -> Iterator[Connection]:
    """Log in to a board; log out at the end.

    Raises:
        MissingToolError: there is no ``ssh``.
        ConnectError: it cannot be reached, is not known, or does not let us in.
    """
    if not shutil.which("ssh"):
        raise MissingToolError(
            "ssh is not installed",
            expected="OpenSSH's client on the PATH",
            hint="apt-get install openssh-client (Debian, Ubuntu)",
        )
    with temporary_folder() as folder:
        socket = folder / "ssh"
        with contextlib.ExitStack() as stack:
            shared = len(str(socket)) <= MAX_SOCKET_PATH and _open_master(host, socket, stack)
            if not (shared and socket.is_socket()):
                stack.close()
                _open_alone(host)
            yield Connection(host, socket)


def _open_master(host: Host, socket: Path, stack: contextlib.ExitStack) -> bool:
    """Start the connection that others share; False if this ssh, or its configuration, has no such thing.

    It runs ``cat``, which ends with its stdin: so the connection does not outlive this process, however
    that ends. What it echoes proves that the board has let us in.
    """
    options = (("ControlMaster", "yes"), ("ControlPersist", "no"), _path(socket))
    master = Channel(
        host.command(options, "exec cat"),
        lambda status, said: no_answer(host, said) if status is None else connect_error(host, said),
        lambda fault: device_fault(host.destination, fault),
        _environment(),
    )
    stack.callback(_close_master, host, socket, master)
    try:
        _wait_for_echo(host, master)
    except EdgeSqueezeError:
        if any(word in master.said for word in ("ControlSocket", "ControlPath", "unix_listener", "mux")):
            return False
        raise
    return True


def _open_alone(host: Host) -> None:
    """See that a connection of one program's own works."""
    with Channel(
        host.command(_ALONE, "exec cat"),
        lambda status, said: no_answer(host, said) if status is None else connect_error(host, said),
        lambda fault: device_fault(host.destination, fault),
        _environment(),
    ) as channel:
        _wait_for_echo(host, channel)


def _wait_for_echo(host: Host, channel: Channel) -> None:
    until = time.monotonic() + CONNECT_SECONDS + LOGIN_SECONDS
    printed = b""
    channel.offer(_ECHO + b"\n", CONNECT_SECONDS + LOGIN_SECONDS)
    while (left := until - time.monotonic()) > 0:
        line = channel.raw_line(left)
        if line is None:
            break
        if _ECHO in line:
            return
        printed = (printed + line)[-4096:]
    if time.monotonic() >= until:
        raise channel.failure(hangs=True)
    status = channel.wait_for_end()
    # ssh's own status, for all that keeps it from letting us in.
    if status in (None, 255):
        raise channel.failure()
    raise no_shell(host, status, printed.decode("utf-8", "replace") or channel.said)


def _close_master(host: Host, socket: Path, master: Channel) -> None:
    if socket.exists():
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            command = host.command((("ControlMaster", "no"), _path(socket)))
            command[1:1] = ["-O", "exit"]
            subprocess.run(command, capture_output=True, check=False, timeout=5, stdin=subprocess.DEVNULL)
    master.close()


def _environment() -> dict[str, str]:
    # No window asks either.
    return {**os.environ, "SSH_ASKPASS_REQUIRE": "never"}


def _path(socket: Path) -> tuple[str, str]:
    # ssh expands % in it.
    return "ControlPath", str(socket).replace("%", "%%")
