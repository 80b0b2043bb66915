"""What ``ssh`` and the device say when something fails, as errors that tell what to do."""

from __future__ import annotations

import errno
import re
import signal
from collections.abc import Mapping
from typing import Any

from edgesqueeze.devices.ssh_host import CONNECT_SECONDS, Host
from edgesqueeze.errors import ConnectError, DeviceError

# Texts of OpenSSH, the first that matches counts: pattern, what is wrong, what to do. A changed key is
# announced before the line that only says that verification failed.
_WORDS: tuple[tuple[str, str, str], ...] = (
    (
        r"REMOTE HOST IDENTIFICATION HAS CHANGED|Offending .* key in|REVOKED HOST KEY",
        "the key of {host} is not the one that this computer knows",
        "if the board was set up anew, remove the old key as `{by_hand}` says, and run that once more to add "
        "the new one; else somebody may be in between",
    ),
    (
        r"host key is known for|Host key verification failed|authenticity of host",
        "the key of {host} is not known to this computer",
        "run `{by_hand}` once, compare the fingerprint and accept it",
    ),
    (
        r"Could not resolve hostname|Name or service not known|nodename nor servname",
        "there is no host {host}",
        "check the name, or give it a HostName in ~/.ssh/config",
    ),
    (
        r"Connection refused",
        "{host} refuses connections",
        "see that the board's SSH server runs and listens on that port (Raspberry Pi: sudo raspi-config, "
        "Interface Options, SSH)",
    ),
    (
        r"timed out|No route to host|Network is unreachable|Host is down|Timeout, server",
        "{host} does not answer",
        "see that the board is switched on and in the same network",
    ),
    (
        r"Permission denied|Too many authentication failures|No more authentication methods",
        "{host} does not let us in",
        "`{by_hand} true` must work without a password: see ssh-copy-id and ssh-add",
    ),
    (
        r"Bad configuration option|bad configuration|Can't open user config|Bad owner or permissions|keyword",
        "ssh cannot read its configuration",
        "see that `{by_hand}` works",
    ),
    (
        r"Unable to negotiate|no matching",
        "{host} and this computer's ssh have no method in common",
        "see that `{by_hand}` works",
    ),
)
MOST_READ = 10_000
"""Characters of a text from elsewhere that are looked at."""
STILL_RUNNING = "see whether the board is still running (power, memory, network), and try again"
TRY_AGAIN = "try again; if it stays, --forget removes what EdgeSqueeze keeps on the device"
INSTALL = "run the same with --install, which puts ai-edge-litert into a folder of its own on the device"
_CANNOT_WRITE = (
    "the cache folder on the device cannot be written",
    "check the owner of ~/.cache/edgesqueeze",
)
_CANNOT_MAKE = ("the cache folder on the device cannot be made", "check HOME and XDG_CACHE_HOME there")
_SYSTEM: Mapping[int, tuple[str, str]] = {
    errno.ENOSPC: ("the device's disk is full", "free some space there"),
    errno.EDQUOT: ("the user's disk quota on the device is used up", "free some space there"),
    errno.EROFS: (
        "the home folder on the device is read-only",
        "set XDG_CACHE_HOME on the device to a folder that can be written",
    ),
    errno.EACCES: _CANNOT_WRITE,
    errno.EPERM: _CANNOT_WRITE,
    **dict.fromkeys(
        (errno.ENOTDIR, errno.ENOENT, errno.EEXIST, errno.ELOOP, errno.ENAMETOOLONG), _CANNOT_MAKE
    ),
}
"""Errors of the device's system: what is wrong, what to do."""
_PYTHON = "Python 3.7 or later as python3"
_FAULTS: Mapping[str, tuple[str, str, str]] = {
    "no-python": (
        "{name} has no Python",
        _PYTHON,
        "install it there, on Debian and Raspberry Pi OS: sudo apt install python3 python3-venv",
    ),
    "old-python": (
        "the Python of {name} is too old",
        _PYTHON,
        "install a newer one there, or update the board's system",
    ),
    "broken-python": (
        "the Python of {name} does not run",
        "",
        "see what `python3 --version` says there; it may be damaged, or of another architecture",
    ),
    "no-home": (
        "the user on {name} has no home folder",
        "HOME, or XDG_CACHE_HOME with an absolute path",
        "set one of the two on the device",
    ),
    "open-folder": (
        "the cache folder of {name} is not the user's alone",
        "a folder that belongs to the user, and that nobody else can write to",
        "remove it with --forget, or set XDG_CACHE_HOME on the device to another folder",
    ),
    "runtime": ("{name} has no TFLite runtime that works", "", INSTALL),
}
"""Faults that the device reports by name: what is wrong, what was expected, what to do."""


def connect_error(host: Host, said: str) -> ConnectError:
    """Why ssh could not connect, from what it wrote to stderr."""
    last = last_line(said)
    other = ("", "ssh cannot connect to {host}", "see that `{by_hand}` works")
    matching = (words for words in _WORDS if re.search(words[0], said, re.IGNORECASE))
    _, problem, hint = next(matching, other)
    names = {"host": host.destination, "by_hand": host.by_hand}
    return ConnectError(problem.format(**names), got=last, hint=hint.format(**names))


def no_shell(host: Host, status: int, printed: str) -> ConnectError:
    """We were let in, but what should be a shell ended."""
    return ConnectError(
        f"{host.destination} lets us in, but its login shell ended with status {status}",
        expected="a shell that runs commands",
        got=last_line(printed),
        hint=f"`{host.by_hand} true` must work: see the user's shell in /etc/passwd, and forced commands",
    )


def no_answer(host: Host, said: str) -> ConnectError:
    """Nothing happened until the time was over."""
    return ConnectError(
        f"{host.destination} does not answer",
        expected=f"a connection within {CONNECT_SECONDS} s, and a shell soon after",
        got=last_line(said),
        hint=f"see that `{host.by_hand} true` works, without a question and without delay",
    )


def lost(name: str, status: int | None, said: str) -> DeviceError:
    """The conversation with the agent broke off.

    Args:
        name: the host, as typed.
        status: the program's exit status, beyond 128 for signals; 255 from ssh; None: it does not answer.
        said: what it wrote to stderr.
    """
    if status is None:
        problem, hint = f"{name} stopped answering", STILL_RUNNING
    elif status == 255:
        problem, hint = f"the connection to {name} was lost", STILL_RUNNING
    elif status > 128:
        title, hint = _signal(status - 128)
        problem = f"the process on {name} was killed by {title}"
    else:
        problem, hint = f"the program on {name} ended with status {status}", TRY_AGAIN
    return DeviceError(problem, got=last_line(said), hint=hint)


def _signal(number: int) -> tuple[str, str]:
    """A signal's name, with what it mostly means, and what to do."""
    if number not in set(signal.Signals):
        return f"signal {number}", TRY_AGAIN
    title = signal.Signals(number).name
    if number == signal.SIGKILL:
        return f"{title}: most likely the device ran out of memory", "end other programs there, or add swap"
    if number == signal.SIGILL:
        why = "NumPy or the runtime was built for another processor"
        return f"{title}: {why}", "install packages there that were built for it; see --install"
    return title, TRY_AGAIN


def device_fault(name: str, fault: Mapping[str, Any]) -> DeviceError:
    """What the device reported as a fault.

    Args:
        name: the host, as typed.
        fault: the answer with the key ``fault``.
    """
    kind, message = clean(str(fault.get("fault"))), clean(str(fault.get("message", "")))
    if kind in _FAULTS:
        problem, expected, hint = _FAULTS[kind]
        return DeviceError(problem.format(name=name), expected=expected, got=message, hint=hint)
    if kind == "install":
        hint = clean(str(fault.get("hint", "")))
        return DeviceError(f"installing a runtime on {name} failed", got=message, hint=hint)
    number = fault.get("errno")
    system = _SYSTEM.get(number) if isinstance(number, int) else None
    if kind == "system" and system:
        return DeviceError(f"{name}: {system[0]}", got=message, hint=system[1])
    return DeviceError(
        f"{name}: {message or kind}",
        hint=TRY_AGAIN,
    )


def last_line(said: str) -> str:
    """The last line that says something, fit for a terminal."""
    lines = [line for line in map(clean, said.splitlines()) if line.strip("@ ")]
    return lines[-1] if lines else ""


def clean(text: str) -> str:
    """Text from elsewhere in one line, without control characters, of bounded length."""
    plain = "".join(char if char.isprintable() else " " for char in text[:MOST_READ])
    return " ".join(plain.split())[:500]
