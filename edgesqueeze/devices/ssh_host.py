"""The name of a board, as the user would give it to ``ssh``."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgesqueeze.base.given import expect, path_of
from edgesqueeze.errors import UsageError

MAX_NAME = 255
CONNECT_SECONDS = 10

# ssh hands names on to the shell where the configuration has a ProxyCommand or "Match exec": nothing may
# pass that a shell, or ssh's own option parser, could read as anything but a name.
_USER = r"[\w][\w.+@-]*"
_NAME = r"[\w][\w.-]*"
_IPV6 = r"[0-9A-Fa-f]*:[0-9A-Fa-f:.]+(?:%[\w.-]+)?"
_PLAIN = re.compile(rf"(?:{_USER}@)?(?:{_NAME}|(?P<address>{_IPV6}))")
_URI = re.compile(
    rf"ssh://(?P<user>{_USER}@)?(?:{_NAME}|\[(?P<address>{_IPV6})\])(?::(?P<port>\d{{1,5}}))?/?"
)
_WITH_PORT = re.compile(rf"(?:{_USER}@)?{_NAME}:\d{{1,5}}")

OPTIONS = (
    # Nobody is there to answer, and a key that is not known is never accepted.
    ("BatchMode", "yes"),
    ("StrictHostKeyChecking", "yes"),
    ("ConnectTimeout", str(CONNECT_SECONDS)),
    ("ServerAliveInterval", "10"),
    ("ServerAliveCountMax", "3"),
    # The user's configuration may ask for these; a measurement must not have them.
    ("RequestTTY", "no"),
    ("RemoteCommand", "none"),
    ("PermitLocalCommand", "no"),
    ("ClearAllForwardings", "yes"),
    ("ForwardAgent", "no"),
    ("ForwardX11", "no"),
    ("EscapeChar", "none"),
    ("LogLevel", "ERROR"),
)


@dataclass(frozen=True)
class Host:
    """A board that can be reached over SSH; ``parse_host`` makes one.

    Attributes:
        destination: ``user@host``, an alias of ~/.ssh/config, or ``ssh://user@host:port``.
        config: a configuration file to use in place of ~/.ssh/config, or None.
    """

    destination: str
    config: Path | None = None

    @property
    def arguments(self) -> list[str]:
        """The command line of ``ssh``, up to the remote command."""
        return self.command()

    def command(self, options: Sequence[tuple[str, str]] = (), remote: str = "") -> list[str]:
        """The same with more options, which win over the common ones, and a remote command.

        Args:
            options: names and values as in ssh_config.
            remote: a constant; the login shell of the board interprets it.
        """
        config = ["-F", str(self.config)] if self.config else []
        given = [part for name, value in (*options, *OPTIONS) for part in ("-o", f"{name}={value}")]
        port, name = self._address
        return ["ssh", *config, *given, *port, "--", name, *([remote] if remote else [])]

    @property
    def by_hand(self) -> str:
        """What a user would type to log in."""
        config = ["-F", str(self.config)] if self.config else []
        port, name = self._address
        return shlex.join(["ssh", *config, *port, name])

    @property
    def _address(self) -> tuple[list[str], str]:
        """Options, and a destination that ``ssh`` takes: OpenSSH 9.2 refuses IPv6 addresses in ssh://."""
        uri = _URI.fullmatch(self.destination)
        if not uri or not uri["address"]:
            return [], self.destination
        return (["-p", uri["port"]] if uri["port"] else []), f"{uri['user'] or ''}{uri['address']}"


def parse_host(text: str, config: str | Path | None = None) -> Host:
    """A host as it is named on the command line.

    Args:
        text: ``user@host``, an alias of the user's ssh configuration, or ``ssh://user@host:port``.
        config: a file to use in place of ~/.ssh/config.

    Raises:
        UsageError: not a host's name, or there is no such file.
    """
    expect(text, str, "the name of a host: user@host, an alias of ~/.ssh/config, or ssh://user@host:port")
    if not _is_name(text):
        shown = text if len(text) <= 80 else text[:77] + "..."
        alias = "give a host with other characters an alias in ~/.ssh/config"
        raise UsageError(
            "that is not the name of a host",
            expected="user@host, an alias of ~/.ssh/config, or ssh://user@host:port",
            got=repr(shown),
            hint=f"with a port it is ssh://{text}" if _WITH_PORT.fullmatch(text) else alias,
        )
    path = path_of(config, "the path of an ssh configuration file").expanduser() if config else None
    if path and not path.is_file():
        raise UsageError(
            f"there is no file {path}", expected="an ssh configuration file", hint="check --ssh-config"
        )
    return Host(text, path.absolute() if path else None)


def _is_name(text: str) -> bool:
    uri = _URI.fullmatch(text)
    name = uri or _PLAIN.fullmatch(text)
    if not name or len(text) > MAX_NAME:
        return False
    with contextlib.suppress(ValueError):
        # "cafe:22" is a name with a port, which ssh does not take.
        if name["address"]:
            ipaddress.IPv6Address(name["address"])
        return not (uri and uri["port"]) or 0 < int(uri["port"]) < 65536
    return False
