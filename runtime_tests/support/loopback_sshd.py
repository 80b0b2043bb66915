"""A device that a test can have: an OpenSSH server of its own on 127.0.0.1, and ways to break it.

Everything is in one folder, the "device" too: its home, its cache, its PATH. Neither /etc/ssh nor anybody's
~/.ssh is read or written. It works as root and as an ordinary user.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shlex
import shutil
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from runtime_tests.support.forwarder import Forwarder
from runtime_tests.support.processes import MARK, Process, kill, kill_tree, processes_with, wait_until_dead
from runtime_tests.support.tools import require_tool

ALIAS = "board"
"""What the client's configuration calls the device."""
START_SECONDS = 120.0
# For root, the server's own folder must be there; Debian makes it at boot, and a container does not boot.
PRIVILEGE_SEPARATION = Path("/run/sshd")

# The key exchange is the fastest there is: tests log in often.
_SERVER = """\
ListenAddress 127.0.0.1:{port}
HostKey "{folder}/host_key"
AuthorizedKeysFile "{folder}/authorized_keys"
PidFile "{folder}/sshd.pid"
ForceCommand "{folder}/login"
StrictModes no
UsePAM {pam}
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
KexAlgorithms curve25519-sha256
MaxStartups 100
LogLevel VERBOSE
"""
_CLIENT = """\
Host {alias}
  HostName 127.0.0.1
  Port {port}
  User {user}
  IdentityFile "{folder}/user_key"
  IdentityAgent none
  IdentitiesOnly yes
  UserKnownHostsFile "{folder}/known_hosts"
  GlobalKnownHostsFile /dev/null
"""
# What a login shell is on a device: the command runs with the device's environment and nothing of ours.
_LOGIN = """\
#!/bin/sh
cd {home} || exit 1
{greeting}exec env -i SSH_CONNECTION="$SSH_CONNECTION" {environment} {shell} -c "${{SSH_ORIGINAL_COMMAND:-:}}"
"""


class Device:
    """An SSH server, and the folder that is its device. Made by ``loopback_device``.

    Attributes:
        folder: with everything.
        home: the device's home folder, empty at the start.
        config: the client's configuration, for ``ssh -F``; it calls the device ``ALIAS``.
        forwarder: what the client talks to; it can break the network, and counts bytes.
    """

    def __init__(
        self, folder: Path, server: subprocess.Popen[bytes], forwarder: Forwarder, mark: str
    ) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.config = folder / "ssh_config"
        self.forwarder = forwarder
        self._server = server
        self._mark = mark

    def processes(self) -> list[Process]:
        """What runs on the device now: everything that a session started and that has not ended."""
        return list(processes_with(self._mark))

    def files(self) -> list[str]:
        """Every file in its home and in its folder for temporary ones, as ``home/...`` and ``tmp/...``."""
        paths = (path for name in ("home", "tmp") for path in (self.folder / name).rglob("*"))
        return sorted(str(path.relative_to(self.folder)) for path in paths if not path.is_dir())

    def log(self) -> str:
        """What the server wrote."""
        return (self.folder / "sshd.log").read_text(errors="replace")

    def sessions(self) -> int:
        """How many times somebody was let in."""
        return self.log().count("Accepted publickey")

    def forget_host_key(self) -> None:
        """Make the device one that the client has never seen."""
        (self.folder / "known_hosts").write_text("")

    def change_host_key(self) -> None:
        """Make the client expect another host key than the server has."""
        _make_key(self.folder / "other_key")
        self._know("other_key")

    def refuse_key(self) -> None:
        """Let nobody in."""
        (self.folder / "authorized_keys").write_text("")

    def kill(self) -> None:
        """Take the device's power: the server, its sessions and all that they run end at once."""
        kill_tree(self._server.pid)
        self._server.wait()
        self.kill_processes()

    def kill_processes(self, word: str = "") -> int:
        """End the device's processes whose command has a word in it, by SIGKILL; returns how many."""
        chosen = [process for process in self.processes() if word in process.command]
        for process in chosen:
            kill(process.pid)
        wait_until_dead(process.pid for process in chosen)
        return len(chosen)

    def _know(self, key: str) -> None:
        public = (self.folder / f"{key}.pub").read_text()
        (self.folder / "known_hosts").write_text(f"[127.0.0.1]:{self.forwarder.port} {public}")


@contextlib.contextmanager
def loopback_device(
    folder: Path,
    *,
    python: Path | None = Path(sys.executable),
    path: Sequence[Path] = (),
    environment: Mapping[str, str] | None = None,
    greeting: str = "",
    shell: str = "/bin/sh",
    disk_bytes: int = 0,
) -> Iterator[Device]:
    """Start a device; at the end everything that it still runs is killed.

    Args:
        folder: an empty folder, or one to be made.
        python: what its ``python3`` runs; None: it has none.
        path: folders in front of its PATH.
        environment: variables that its processes have besides HOME, PATH and the user's name.
        greeting: what a careless login script prints before each command, to stdout and stderr.
        shell: the user's login shell.
        disk_bytes: the size of the disk that its home is on, which cannot be seen from here then; 0: as it
            comes.

    Skips the test without OpenSSH, or without the right to make a small disk; in CI it fails for the former.
    """
    server = _server_program()
    require_tool("ssh", "openssh-client")
    for name in ("home", "tmp"):
        (folder / name).mkdir(parents=True)
    mark = uuid.uuid4().hex
    login = _login(folder, mark, _path(folder, python, path), environment, greeting, shell)
    port = _configure(folder, login)
    command = [server, "-D", "-e", "-f", str(folder / "sshd_config")]
    if disk_bytes:
        command = [*_small_disk(folder / "home", disk_bytes), *command]
    with contextlib.ExitStack() as stack:
        process = stack.enter_context(_running(command, folder / "sshd.log", port))
        forwarder = stack.enter_context(Forwarder(port))
        user = pwd.getpwuid(os.getuid()).pw_name
        client = _CLIENT.format(alias=ALIAS, folder=folder, port=forwarder.port, user=user)
        (folder / "ssh_config").write_text(client)
        device = Device(folder, process, forwarder, mark)
        device._know("host_key")
        stack.callback(device.kill)
        yield device


def _configure(folder: Path, login: str) -> int:
    """Write keys, the login script and the server's configuration; the port that the server will have."""
    for key in ("host_key", "user_key"):
        _make_key(folder / key)
    shutil.copy(folder / "user_key.pub", folder / "authorized_keys")
    (folder / "login").write_text(login)
    (folder / "login").chmod(0o755)
    port = _free_port()
    (folder / "sshd_config").write_text(
        _SERVER.format(folder=folder, port=port, pam="yes" if _is_locked() else "no")
    )
    return port


def _login(
    folder: Path,
    mark: str,
    path: str,
    environment: Mapping[str, str] | None,
    greeting: str,
    shell: str,
) -> str:
    user = pwd.getpwuid(os.getuid()).pw_name
    values = {"HOME": str(folder / "home"), "PATH": path, "USER": user, "LOGNAME": user, "SHELL": shell}
    values |= {"TMPDIR": str(folder / "tmp"), MARK: mark, **(environment or {})}
    return _LOGIN.format(
        home=shlex.quote(str(folder / "home")),
        greeting=f"printf %s {shlex.quote(greeting)} | tee /dev/stderr\n" if greeting else "",
        environment=" ".join(f"{name}={shlex.quote(value)}" for name, value in values.items()),
        shell=shell,
    )


def _path(folder: Path, python: Path | None, first: Sequence[Path]) -> str:
    """The device's PATH: its own python3 before the system's programs, or those without any Python."""
    own = folder / "bin"
    own.mkdir()
    if python is not None:
        (own / "python3").write_text(f'#!/bin/sh\nexec {shlex.quote(str(python))} "$@"\n')
        (own / "python3").chmod(0o755)
        return ":".join([*map(str, first), str(own), "/usr/bin", "/bin"])
    for program in Path("/usr/bin").iterdir():
        if not program.name.startswith(("python", "pypy")):
            (own / program.name).symlink_to(program)
    return ":".join([*map(str, first), str(own)])


@contextlib.contextmanager
def _running(command: Sequence[str], log: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    if os.getuid() == 0:
        PRIVILEGE_SEPARATION.mkdir(mode=0o755, exist_ok=True)
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)
    try:
        _await_port(process, port, log)
        yield process
    finally:
        process.kill()
        process.wait()


def _await_port(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.02)
    raise RuntimeError(f"sshd does not start: {log.read_text(errors='replace').strip()[-1000:]}")


def _small_disk(home: Path, size: int) -> list[str]:
    """What to put before a command so that a folder is a small disk for it, and for nobody else."""
    mount = f"mount -t tmpfs -o size={size},mode=700 tmpfs {shlex.quote(str(home))}"
    if os.getuid() == 0:
        command = ["unshare", "--mount", "sh", "-c", f'{mount} && exec "$@"', "sh"]
    else:
        back = f'exec unshare --user --map-user={os.getuid()} --map-group={os.getgid()} "$@"'
        command = ["unshare", "--map-root-user", "--mount", "sh", "-c", f"{mount} && {back}", "sh"]
    tried = subprocess.run([*command, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"a small disk needs the right to mount: {tried.stderr.strip()[-200:]}")
    return command


def _server_program() -> str:
    # An ordinary user's PATH lacks the folder that it is in; it insists on being called by its whole path.
    path = shutil.which("sshd", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    return path or require_tool("sshd", "openssh-server")


def _is_locked() -> bool:
    """Whether the user has no password to log in with: then sshd takes a key only with PAM."""
    name = pwd.getpwuid(os.getuid()).pw_name
    # Root alone can read it, and the server knows no more than we do.
    with contextlib.suppress(OSError):
        return f"\n{name}:!" in f"\n{Path('/etc/shadow').read_text()}"
    return False


def _make_key(path: Path) -> None:
    program = require_tool("ssh-keygen", "openssh-client")
    subprocess.run([program, "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(path)], check=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
