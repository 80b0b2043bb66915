"""What notices that a file did harm: a folder that is watched, and a server that nobody may call."""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

from runtime_tests.support.hostile.attack import Canaries

TOUCHED = 0x1 | 0x2 | 0x4 | 0x20 | 0x40 | 0x80 | 0x100 | 0x200
"""Read, written, its attributes changed, opened, moved, made, removed."""
NONBLOCK = 0o4000


class Watch:
    """Everything that happens to the canaries from now on.

    Args:
        folder: in which they are.
    """

    def __init__(self, folder: Path) -> None:
        self.canaries = Canaries(folder / "written", folder / "secret", 0)
        self.canaries.secret.write_text("secret " * 100)
        self._server = socket.create_server(("127.0.0.1", 0))
        self._server.setblocking(False)
        self.canaries = self.canaries._replace(port=self._server.getsockname()[1])
        libc = ctypes.CDLL(None, use_errno=True)
        self._events = libc.inotify_init1(NONBLOCK)
        if self._events < 0 or libc.inotify_add_watch(self._events, str(folder).encode(), TOUCHED) < 0:
            raise OSError(ctypes.get_errno(), "the folder cannot be watched")

    def tripped(self) -> list[str]:
        """What happened since the last time."""
        found = []
        with contextlib.suppress(BlockingIOError):
            content = os.read(self._events, 1 << 16)
            while content:
                _, mask, _, length = struct.unpack_from("iIII", content)
                name = content[16 : 16 + length].rstrip(b"\0").decode()
                found.append(f"{name or 'the folder'}: event {mask:#x}")
                content = content[16 + length :]
        with contextlib.suppress(BlockingIOError):
            while True:
                caller, _ = self._server.accept()
                caller.close()
                found.append("a call to the server")
        return found

    def close(self) -> None:
        """Stop watching."""
        os.close(self._events)
        self._server.close()


@contextlib.contextmanager
def watched(folder: Path) -> Iterator[Watch]:
    """Canaries in a folder, watched while the block runs."""
    watch = Watch(folder)
    try:
        yield watch
    finally:
        watch.close()
