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
_SYSTEM: Mapping[int, tuple[str, str]] = {
    errno.ENOSPC: (
        "the device's disk is full",
        "free some space there",
    ),
    errno.EDQUOT: ("the user's disk quota on the device is used up", "free some space there"),
    errno.EROFS: (
        "the home folder on the device is read-only",
        "set XDG_CACHE_HOME on the device to a folder that can be written",
    ),
    errno.EACCES: (
        "the cache folder on the device cannot be written",
        "check the owner of ~/.cache/edgesqueeze",
    ),
    errno.EPERM: (
        "the cache folder on the device cannot be written",
        "check the owner of ~/.cache/edgesqueeze",
    ),
}
MOST_READ = 10_000
"""Characters of a text from elsewhere that are looked at."""
_PATH_ERRORS = (errno.ENOTDIR, errno.ENOENT, errno.EEXIST, errno.ELOOP, errno.ENAMETOOLONG)
INSTALL = "run the same with --install, which puts ai-edge-litert into a folder of its own on the device"


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
    """The conversation with the agent broke off."""
    if status is not None and status > 128 and status != 255:
        number = status - 128
        known = number in set(signal.Signals)
        title = signal.Signals(number).name if known else f"signal {number}"
        more = {
            signal.SIGKILL: ": most likely the device ran out of memory",
            signal.SIGILL: ": NumPy or the runtime was built for another processor",
        }.get(signal.Signals(number) if known else signal.SIGTERM, "")
        return DeviceError(f"the process on {name} was killed by {title}{more}", got=last_line(said))
    if status is None:
        return DeviceError(
            f"{name} stopped answering",
            got=last_line(said),
            hint="see whether the board is still running (power, memory, network), and try again",
        )
    if status == 255:
        return DeviceError(
            f"the connection to {name} was lost",
            got=last_line(said),
            hint="see whether the board is still running (power, memory, network), and try again",
        )
    return DeviceError(f"the program on {name} ended with status {status}", got=last_line(said))


def device_fault(name: str, fault: Mapping[str, Any]) -> DeviceError:
    """What the device reported as a fault.

    Args:
        name: the host, as typed.
        fault: the answer with the key ``fault``.
    """
    kind, message = clean(str(fault.get("fault"))), clean(str(fault.get("message", "")))
    number = fault.get("errno")
    number = number if isinstance(number, int) else 0
    if kind == "no-python":
        return DeviceError(
            f"{name} has no Python",
            expected="Python 3.7 or later as python3",
            hint="install it there, on Debian and Raspberry Pi OS: sudo apt install python3 python3-venv",
        )
    if kind == "old-python":
        return DeviceError(
            f"the Python of {name} is too old",
            expected="Python 3.7 or later as python3",
            got=message,
            hint="install a newer one there, or update the board's system",
        )
    if kind == "broken-python":
        return DeviceError(
            f"the Python of {name} does not run",
            got=message,
            hint="see what `python3 --version` says there; it may be damaged, or of another architecture",
        )
    if kind == "no-home":
        return DeviceError(
            f"the user on {name} has no home folder",
            expected="HOME, or XDG_CACHE_HOME with an absolute path",
            hint="set one of the two on the device",
        )
    if kind == "runtime":
        return DeviceError(f"{name} has no TFLite runtime that works", got=message, hint=INSTALL)
    if kind == "system" and number in _SYSTEM:
        problem, hint = _SYSTEM[number]
        return DeviceError(f"{name}: {problem}", got=message, hint=hint)
    if kind == "system" and number in _PATH_ERRORS:
        return DeviceError(
            f"{name}: the cache folder on the device cannot be made",
            got=message,
            hint="check HOME and XDG_CACHE_HOME there",
        )
    if kind == "install":
        return DeviceError(
            f"installing a runtime on {name} failed", got=message, hint=clean(str(fault.get("hint", "")))
        )
    return DeviceError(f"{name}: {message or kind}")


def last_line(said: str) -> str:
    """The last line that says something, fit for a terminal."""
    lines = [line for line in map(clean, said.splitlines()) if line.strip("@ ")]
    return lines[-1] if lines else ""


def clean(text: str) -> str:
    """Text from elsewhere in one line, without control characters, of bounded length."""
    plain = "".join(char if char.isprintable() else " " for char in text[:MOST_READ])
    return " ".join(plain.split())[:500]
