"""The web server for pages that run a model: one secret in the address, this network only.

=================  =====================================================================================
``GET  S/``        the page; ``S`` is the secret, and every other address is "not found"
``GET  S/page.js`` its program; ``S/litert/...`` is LiteRT.js
``POST S/hello``   a page introduces itself and gets a number
``POST S/next``    it brings a result and gets a job
``GET  S/model/H`` a model that it may load now, by its SHA-256
``POST S/alive``   it is at work; ``S/bye``: it was closed
=================  =====================================================================================
"""

from __future__ import annotations

import contextlib
import hmac
import ipaddress
import json
import secrets
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from edgesqueeze.devices.browser.litert_js import LiteRtJs
from edgesqueeze.devices.browser.visitor import Visitor
from edgesqueeze.errors import UsageError

HERE = Path(__file__).parent
HTML, SCRIPT, WASM, JSON, BINARY = (
    "text/html; charset=utf-8",
    "text/javascript",
    "application/wasm",
    "application/json",
    "application/octet-stream",
)
HEADERS = {
    # Threads of WebAssembly share memory, which browsers allow to isolated pages only.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
IDLE_SECONDS = 120
MOST_HELLO = 64 << 10

Greet = Callable[[Mapping[str, Any]], "Visitor | None"]


class Server:
    """Serves one model to pages; ``open_server`` starts and ends one.

    Attributes:
        path: the part of the address behind the port, with the secret.
        port: the port.
    """

    def __init__(
        self, address: str, port: int, greet: Greet, library: LiteRtJs, name: str, most_bytes: int
    ) -> None:
        self.secret = secrets.token_urlsafe(16)
        self.path = f"/{self.secret}/"
        self.greet, self.name, self.most_bytes = greet, name, most_bytes
        self.files = _files(library)
        self.visitors: dict[str, Visitor] = {}
        server = self

        class Handler(_Handler):
            owner = server

        self.http = ThreadingHTTPServer((address, port), Handler)
        self.http.daemon_threads = True
        self.port = self.http.server_address[1]

    def meet(self, told: Mapping[str, Any]) -> dict[str, Any]:
        """Let a page in; it gets a number, or is told that there are enough."""
        visitor = self.greet(told)
        if visitor is None:
            return {"id": "", "model": self.name, "enough": True}
        number = secrets.token_urlsafe(16)
        self.visitors[number] = visitor
        return {"id": number, "model": self.name}


@contextlib.contextmanager
def open_server(
    address: str,
    greet: Greet,
    library: LiteRtJs,
    name: str,
    most_bytes: int,
    certificate: Path | None = None,
    port: int = 0,
) -> Iterator[Server]:
    """Serve pages until the context ends.

    Args:
        address: of the network card to listen on.
        greet: makes a visitor of what a page says about itself, or None if it has come too late.
        library: LiteRT.js.
        name: of the model, for the page.
        most_bytes: longest result that is read.
        certificate: a file with key and certificate, for https.
        port: 0 for any that is free.

    Raises:
        UsageError: nothing can listen there.
    """
    try:
        server = Server(address, port, greet, library, name, most_bytes)
    except OSError as error:
        raise UsageError(
            f"cannot listen on {address}: {error.strerror or error}",
            expected="an address of this computer",
            got=address,
            hint="name another with --address",
        ) from error
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        # The handshake is done by the thread of the request: a client that is slow with it holds up nobody.
        server.http.socket = context.wrap_socket(
            server.http.socket, server_side=True, do_handshake_on_connect=False
        )
    thread = threading.Thread(target=server.http.serve_forever, args=(0.1,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.http.shutdown()
        server.http.server_close()
        thread.join(2)


def is_near(address: str) -> bool:
    """Whether an address is of this computer or of a private network."""
    found = ipaddress.ip_address(address.partition("%")[0])
    near = getattr(found, "ipv4_mapped", None) or found
    return near.is_private or near.is_loopback or near.is_link_local


def _files(library: LiteRtJs) -> dict[str, tuple[Path, str]]:
    """Files by what stands behind the secret, with their types."""
    files = {"": (HERE / "page.html", HTML), "page.js": (HERE / "page.js", SCRIPT)}
    for name, path in library.files.items():
        kind = WASM if name.endswith(".wasm") else SCRIPT
        files[f"litert/{name.replace('/dist/', '/')}"] = (path, kind)
    return files


class _Handler(BaseHTTPRequestHandler):
    """One request."""

    owner: Server
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "edgesqueeze", ""
    timeout = IDLE_SECONDS

    def do_GET(self) -> None:
        what, query = self._asked()
        visitor = self._visitor(query)
        if what is not None and what in self.owner.files:
            path, kind = self.owner.files[what]
            self._send(path.read_bytes(), kind)
        elif what and what.startswith("model/") and visitor:
            content = visitor.models.get(what.removeprefix("model/"))
            self._send(content, BINARY) if content is not None else self._refuse()
        else:
            self._refuse()

    def do_POST(self) -> None:
        what, query = self._asked()
        visitor = self._visitor(query)
        if what not in ("hello", "next", "alive", "bye") or (visitor is None and what != "hello"):
            self._refuse()
            return
        body = self._body(MOST_HELLO if what == "hello" else self.owner.most_bytes)
        if body is None:
            return
        if visitor is None:
            try:
                self._tell(self.owner.meet(body))
            except (TypeError, ValueError, LookupError, AttributeError, OverflowError):
                self._refuse(HTTPStatus.BAD_REQUEST)
            return
        visitor.heard()
        if what == "bye":
            visitor.left()
        self._tell(visitor.next(body.get("result")) if what == "next" else {})

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the secret is in every line."""

    def _asked(self) -> tuple[str | None, Mapping[str, list[str]]]:
        """What is asked for behind the secret; None without the secret or from another network."""
        url = urlsplit(self.path)
        secret, _, what = url.path.lstrip("/").partition("/")
        right = hmac.compare_digest(secret.encode(), self.owner.secret.encode())
        return (what if right and is_near(self.client_address[0]) else None), parse_qs(url.query)

    def _visitor(self, query: Mapping[str, list[str]]) -> Visitor | None:
        return self.owner.visitors.get(query.get("id", [""])[0])

    def _body(self, most: int) -> dict[str, Any] | None:
        """The object that was sent; None if it was refused."""
        size = self.headers.get("Content-Length", "")
        if not size.isdigit() or int(size) > most:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return None
        try:
            body = json.loads(self.rfile.read(int(size)) or b"{}")
        except (ValueError, RecursionError):
            body = None
        if isinstance(body, dict):
            return body
        self._refuse(HTTPStatus.BAD_REQUEST)
        return None

    def _tell(self, message: Mapping[str, Any]) -> None:
        self._send(json.dumps(message).encode(), JSON)

    def _send(self, content: bytes, kind: str, status: HTTPStatus = HTTPStatus.OK) -> None:
        # Pages are closed at any time.
        with contextlib.suppress(OSError):
            self.send_response(status)
            for name, value in {**HEADERS, "Content-Type": kind, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

    def _refuse(self, status: HTTPStatus = HTTPStatus.NOT_FOUND) -> None:
        # What was sent is not read: the connection cannot go on.
        self.close_connection = True
        self._send(f"{status.phrase}\n".encode(), "text/plain", status)
