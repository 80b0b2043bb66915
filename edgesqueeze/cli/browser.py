"""``edgesqueeze bench --browser``: phones and computers that open a page."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from edgesqueeze.cli.paths import NamedPath
from edgesqueeze.cli.screen import say, say_json
from edgesqueeze.cli.tables import say_finding
from edgesqueeze.errors import UsageError

if TYPE_CHECKING:
    from edgesqueeze.graph import TfliteModel
    from edgesqueeze.target.records import Target

Command = TypeVar("Command", bound=Callable[..., object])
HEAT_SECONDS = 60.0
LOOPBACK_NOTE = "this computer has no network: only its own browsers reach the address"


class BrowserWish(NamedTuple):
    """What was asked for of browsers.

    Attributes:
        asked: whether browsers are to measure at all.
        phones: number of devices to wait for; None: one.
        address: of this computer, to listen on; None for its address in the network.
        https: whether the page comes over https.
        webgpu: whether the graphics processor runs the model.
        library: folder with LiteRT.js; None for that of npm.
    """

    asked: bool
    phones: int | None
    address: str | None
    https: bool
    webgpu: bool
    library: Path | None


OPTIONS = (
    click.option(
        "--browser",
        is_flag=True,
        help="Measure on phones or computers of this network that open a page: shows an address to open.",
    ),
    click.option(
        "--phones", metavar="N", type=click.IntRange(1, 32), help="--browser: wait for so many; 1 by default."
    ),
    click.option(
        "--address", metavar="IP", help="--browser: listen on this address of this computer's, not the usual."
    ),
    click.option(
        "--https",
        is_flag=True,
        help="--browser: encrypted, with a certificate that browsers warn of: they allow threads then.",
    ),
    click.option(
        "--webgpu", is_flag=True, help="--browser: run on the graphics processor, not in WebAssembly."
    ),
    click.option(
        "--litert-js",
        metavar="DIR",
        type=NamedPath(),
        help="--browser: take LiteRT.js from this node_modules; else npm fetches it, once.",
    ),
)
NAMES = ("phones", "address", "https", "webgpu", "litert_js")


def browser_options(command: Command) -> Command:
    """The options of ``--browser``, for a command."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def take_browser_wish(options: dict[str, Any]) -> BrowserWish:
    """Take these options out of all that a command was given."""
    return BrowserWish(options.pop("browser"), *(options.pop(name) for name in NAMES))


def check_browser_wish(wish: BrowserWish, *, others: bool) -> None:
    """Refuse what does not go together.

    Args:
        wish: what was asked for.
        others: whether other devices take part.

    Raises:
        UsageError: it does not go together, or the address is none.
    """
    if wish.asked and others:
        raise UsageError(
            "--browser does not go with --ssh, --local, --data or several targets",
            hint="measure in browsers by a command of its own: it waits for people",
        )
    for name, given in zip(NAMES, wish[1:], strict=True):
        if given and not wish.asked:
            option = f"--{name.replace('_', '-')}"
            raise UsageError(f"{option} only goes with --browser", hint=f"leave out {option}")
    if wish.https is False and wish.webgpu and wish.address not in ("127.0.0.1", "localhost"):
        raise UsageError(
            "--webgpu needs --https",
            expected="browsers give pages a graphics processor only over https",
            hint="add --https, and accept the certificate in the browser",
        )
    if wish.address is not None:
        try:
            ipaddress.ip_address(wish.address)
        except ValueError:
            raise UsageError(
                f"{wish.address} is no address",
                expected="an IP address of this computer, such as 192.168.1.20",
                got=wish.address,
                hint="`ip address` lists them",
            ) from None


def measure_in_browsers(
    model: TfliteModel,
    target: Target | None,
    wish: BrowserWish,
    threads: tuple[int, ...],
    sustain: float | None,
    as_json: bool,
) -> int:
    """Serve the page, show its address, and print what was measured; gives the exit status."""
    from edgesqueeze.devices.browser.serve import Page, measure_browsers
    from edgesqueeze.devices.measure import Settings
    from edgesqueeze.timing.boards import beside_prediction

    page = Page(
        phones=wish.phones or 1,
        address=wish.address,
        https=wish.https,
        webgpu=wish.webgpu,
        library=wish.library,
    )
    seconds = HEAT_SECONDS if sustain is None else sustain
    settings = Settings(threads=threads or None, sustain_seconds=seconds)
    results = measure_browsers(model, page, settings, show=_show, tell=lambda text: say(text, stderr=True))
    found = beside_prediction(model, results, target, say_finding)
    if as_json:
        say_json(found.document.model_dump_json(indent=2))
    else:
        from edgesqueeze.cli.measurement import print_measurements

        print_measurements(found)
    return found.exit_code


def _show(address: str) -> None:
    """The address as a code for a phone's camera, and as text."""
    import segno

    from edgesqueeze.devices.browser.network import LOOPBACK

    say(_code(segno.make(address, error="l", micro=False)), stderr=True)
    say(f"open on a phone of this network: {address}", stderr=True)
    if f"//{LOOPBACK}:" in address:
        say(f"note: {LOOPBACK_NOTE}", stderr=True)


def _code(code: Any) -> str:
    """A code in half blocks, two rows a line, with the light border that cameras need."""
    border = [[0] * (code.symbol_size(border=2)[0])] * 2
    rows = [*border, *([0, 0, *row, 0, 0] for row in code.matrix), *border]
    rows += [[0] * len(rows[0])] * (len(rows) % 2)
    # Light is what a terminal with dark ground shows as foreground.
    blocks = {(0, 0): "█", (0, 1): "▀", (1, 0): "▄", (1, 1): " "}
    pairs = zip(rows[::2], rows[1::2], strict=True)
    return "\n".join("".join(blocks[bool(a), bool(b)] for a, b in zip(*pair, strict=True)) for pair in pairs)
