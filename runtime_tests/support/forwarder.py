"""A network between a test and a server on this machine, which can be cut."""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType

BLOCK = 1 << 16


class Forwarder:
    """Forwards TCP connections from a port of its own on 127.0.0.1 to another, until told otherwise.

    Attributes:
        port: its own.
        sent: bytes that clients have sent so far.
        received: bytes that clients have received so far.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.sent = 0
        self.received = 0
        self._flows = threading.Event()
        self._flows.set()
        self._stall_after: int | None = None
        self._closed = False
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> Forwarder:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True
        self._flows.set()
        # Only a shutdown wakes a thread that waits in accept.
        _shut(self._listener)
        self.drop()

    def stall(self, after: int = 0) -> None:
        """Forward nothing any more, and say nothing of it: what a lost cable looks like.

        Args:
            after: bytes, sent by clients from now on, that still go through.
        """
        if after:
            self._stall_after = self.sent + after
        else:
            self._flows.clear()

    def drop(self) -> None:
        """Close every connection."""
        for end in self._sockets:
            _shut(end)
        self._sockets.clear()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while not self._closed:
                client, _ = self._listener.accept()
                try:
                    server = socket.create_connection(("127.0.0.1", self._target))
                except OSError:
                    _shut(client)
                    continue
                self._sockets += [client, server]
                for source, sink in ((client, server), (server, client)):
                    threading.Thread(
                        target=self._pump, args=(source, sink, source is client), daemon=True
                    ).start()

    def _pump(self, source: socket.socket, sink: socket.socket, upwards: bool) -> None:
        with contextlib.suppress(OSError):
            while block := source.recv(BLOCK):
                if upwards:
                    self.sent += len(block)
                    if self._stall_after is not None and self.sent > self._stall_after:
                        self._flows.clear()
                else:
                    self.received += len(block)
                self._flows.wait()
                sink.sendall(block)
        _shut(source)
        _shut(sink)


def _shut(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
