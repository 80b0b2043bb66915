"""A page in headless Chromium, driven over the DevTools protocol: what it says, asks for and looks like."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import websocket

from runtime_tests.support.tools import require_tool

PATIENCE = 300
"""Seconds for anything, on a busy machine."""
PHONE, DESKTOP = 390, 1280
"""Widths in CSS pixels."""
PAINTED = "performance.getEntriesByName('first-contentful-paint').map(entry => entry.startTime)[0] ?? -1"
SIZE = "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"


class Seen(NamedTuple):
    """A page that was opened.

    Attributes:
        complaints: errors and warnings of the console, and exceptions.
        requests: addresses that it asked for, its own left out.
        paint_ms: from the start of the navigation to the first text or picture, in milliseconds.
        width: of the whole page, in CSS pixels; more than the window's, where it must be scrolled sideways.
        picture: the whole page as PNG.
    """

    complaints: tuple[str, ...]
    requests: tuple[str, ...]
    paint_ms: float
    width: int
    picture: bytes


class Tab:
    """A tab of a browser."""

    def __init__(self, address: str) -> None:
        self._socket = websocket.create_connection(address, timeout=PATIENCE, suppress_origin=True)
        self._number = 0
        self.events: list[dict[str, Any]] = []

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol; events that come meanwhile are kept."""
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            message: dict[str, Any] = json.loads(self._socket.recv())
            if message.get("id") == self._number:
                if "error" in message:
                    raise RuntimeError(f"{method}: {message['error']}")
                result: dict[str, Any] = message["result"]
                return result
            self.events.append(message)

    def wait_for(self, event: str) -> None:
        """Wait for an event that has not come yet."""
        while not any(one.get("method") == event for one in self.events):
            self.events.append(json.loads(self._socket.recv()))

    def value(self, script: str) -> Any:
        """The value of an expression on the page."""
        return self.call("Runtime.evaluate", expression=script, returnByValue=True)["result"].get("value")

    def close(self) -> None:
        """Close the tab."""
        with contextlib.suppress(RuntimeError, websocket.WebSocketException):
            self.call("Page.close")
        self._socket.close()


@contextlib.contextmanager
def chromium() -> Iterator[int]:
    """A browser; its port on this computer."""
    program = require_tool("chromium", "chromium")
    with tempfile.TemporaryDirectory(prefix="edgesqueeze-chromium-", ignore_cleanup_errors=True) as folder:
        command = [program, "--headless", "--disable-gpu", "--remote-debugging-port=0", "--hide-scrollbars"]
        # A container's shared memory may be too small for a page's picture.
        command += ["--disable-dev-shm-usage"]
        command += [f"--user-data-dir={folder}", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            yield _port(Path(folder) / "DevToolsActivePort", process)
        finally:
            process.terminate()
            process.wait(PATIENCE)


def open_tab(port: int) -> Tab:
    """A new, empty tab.

    Args:
        port: the browser's.
    """
    request = urllib.request.Request(f"http://127.0.0.1:{port}/json/new?about:blank", method="PUT")
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        return Tab(json.load(answer)["webSocketDebuggerUrl"])


def look_at(
    port: int, page: Path, *, width: int = DESKTOP, dark: bool = False, media: str = "screen"
) -> Seen:
    """Open a page in a new tab.

    Args:
        port: the browser's.
        page: a file.
        width: of the window, in CSS pixels.
        dark: whether the user prefers dark pages.
        media: ``screen`` or ``print``.
    """
    with contextlib.closing(open_tab(port)) as tab:
        return _look(tab, page, width, dark, media)


def _look(tab: Tab, page: Path, width: int, dark: bool, media: str) -> Seen:
    for domain in ("Page", "Runtime", "Log", "Network"):
        tab.call(f"{domain}.enable")
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    tab.call("Emulation.setDeviceMetricsOverride", **metrics)
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    tab.call("Emulation.setEmulatedMedia", media=media, features=[scheme])
    tab.events.clear()
    address = page.resolve().as_uri()
    tab.call("Page.navigate", url=address)
    tab.wait_for("Page.loadEventFired")
    deadline = time.monotonic() + PATIENCE
    while (paint := tab.value(PAINTED)) < 0 and time.monotonic() < deadline:
        time.sleep(0.05)
    wide, high = tab.value(SIZE)
    clip = {"x": 0, "y": 0, "width": wide, "height": high, "scale": 1}
    shot = tab.call("Page.captureScreenshot", format="png", captureBeyondViewport=True, clip=clip)
    return Seen(
        complaints=tuple(_complaints(tab.events)),
        requests=tuple(_requests(tab.events, address)),
        paint_ms=paint,
        width=wide,
        picture=base64.b64decode(shot["data"]),
    )


def _complaints(events: list[dict[str, Any]]) -> Iterator[str]:
    for event in events:
        told = event.get("params", {})
        if event.get("method") == "Log.entryAdded" and told["entry"]["level"] in ("warning", "error"):
            yield told["entry"]["text"]
        elif event.get("method") == "Runtime.exceptionThrown":
            yield json.dumps(told["exceptionDetails"])
        elif event.get("method") == "Runtime.consoleAPICalled" and told["type"] in ("warning", "error"):
            yield json.dumps(told["args"])


def _requests(events: list[dict[str, Any]], own: str) -> Iterator[str]:
    for event in events:
        if event.get("method") == "Network.requestWillBeSent":
            address = event["params"]["request"]["url"]
            if address != own and not address.startswith("data:"):
                yield address


def _port(file: Path, process: subprocess.Popen[bytes]) -> int:
    """The port that the browser writes down once it listens."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if file.is_file() and (lines := file.read_text().split()):
            return int(lines[0])
        if process.poll() is not None:
            raise RuntimeError(f"chromium ended with {process.returncode}")
        time.sleep(0.05)
    raise RuntimeError("chromium does not listen")
