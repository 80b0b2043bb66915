"""Measure a model on phones and computers that open a page: with their browser, and nothing installed."""

from __future__ import annotations

import contextlib
import math
import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgesqueeze.base.findings import Finding
from edgesqueeze.base.given import expect
from edgesqueeze.devices.browser.litert_js import litert_js
from edgesqueeze.devices.browser.network import make_certificate, own_address
from edgesqueeze.devices.browser.server import open_server
from edgesqueeze.devices.browser.visitor import Visitor
from edgesqueeze.devices.folders import temporary_folder
from edgesqueeze.devices.look import describe
from edgesqueeze.devices.measure import Settings, measure_on
from edgesqueeze.devices.records import Failure, Measurement
from edgesqueeze.errors import ConnectError, EdgeSqueezeError, UnsupportedModelError, UsageError
from edgesqueeze.graph import TfliteModel, as_model
from edgesqueeze.graph.shapes import refuse_open

MOST_PHONES = 32
GPU_TYPES = ("float32", "int32", "uint8")
RESULT_BYTES = 4 << 20
"""What a result may take beside the outputs: the times, mostly."""

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Page:
    """How a page is served, and to whom.

    Attributes:
        phones: number of devices to wait for.
        wait_seconds: how long to wait for the next one, in seconds.
        address: of this computer, to listen on; None for its address in the network.
        https: whether the page is served with a certificate that is signed by itself: browsers warn, and
            allow threads and WebGPU then.
        webgpu: whether the device's graphics processor runs the model, in place of WebAssembly.
        library: folder with LiteRT.js; None for that of npm.
    """

    phones: int = 1
    wait_seconds: float = 600.0
    address: str | None = None
    https: bool = False
    webgpu: bool = False
    library: Path | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.phones <= MOST_PHONES or not 0 < self.wait_seconds < math.inf:
            raise UsageError(
                "nobody can be waited for so",
                expected=f"1 to {MOST_PHONES} phones, and some seconds",
                got=f"{self.phones} phones, {self.wait_seconds:g} s",
            )


def measure_browsers(
    model: str | Path | TfliteModel,
    page: Page | None = None,
    settings: Settings | None = None,
    *,
    show: Tell,
    tell: Tell = lambda _: None,
) -> tuple[Measurement | Failure, ...]:
    """Serve a page, and measure a model on the devices that open it, side by side.

    Args:
        model: any .tflite of batch 1 that LiteRT runs, or its path.
        page: how the page is served.
        settings: how to measure.
        show: is called once with the address of the page, which is to be opened on the devices.
        tell: is told, in a sentence, what goes on.

    Returns:
        For each device, in the order in which they came, a measurement or why there is none.

    Raises:
        UsageError: it cannot listen there.
        ConnectError: nobody came.
        MissingToolError: LiteRT.js is not here and cannot be fetched; no ``openssl`` for https.
        UnsupportedModelError: an input of open shape; WebGPU, and inputs or outputs that it does not take.
    """
    model = as_model(model)
    page = Page() if page is None else expect(page, Page, "how the page is served, as a Page")
    settings = Settings() if settings is None else expect(settings, Settings, "how to measure, as Settings")
    refuse_open(model, "it cannot be measured")
    _check_types(model, page)
    hall = _Hall(model, page, settings, tell)
    with hall.open() as address:
        show(address)
        return hall.wait()


class _Hall:
    """Those who came, and those who are waited for."""

    def __init__(self, model: TfliteModel, page: Page, settings: Settings, tell: Tell) -> None:
        self.model, self.page, self.settings, self.tell = model, page, settings, tell
        self.library = litert_js(page.library)
        self.results: dict[int, Measurement | Failure | BaseException] = {}
        self._lock = threading.Lock()
        self._came = 0
        self._ended: queue.SimpleQueue[int] = queue.SimpleQueue()

    @contextlib.contextmanager
    def open(self) -> Iterator[str]:
        """Serve the page; gives its address."""
        address = self.page.address or own_address()
        # When operators run alone, any tensor may be an output.
        most = RESULT_BYTES + 2 * sum(tensor.nbytes for tensor in self.model.main.tensors)
        with temporary_folder() as folder:
            certificate = make_certificate(folder, address) if self.page.https else None
            with open_server(address, self.greet, self.library, self.model.name, most, certificate) as server:
                scheme = "https" if self.page.https else "http"
                yield f"{scheme}://{address}:{server.port}{server.path}"

    def greet(self, told: Mapping[str, Any]) -> Visitor | None:
        """Let a page in, and measure on it; None if there are enough."""
        with self._lock:
            if self._came >= self.page.phones:
                return None
            number = self._came
            kind = "webgpu" if self.page.webgpu else "wasm"
            visitor = Visitor(f"browser {number + 1}", told, self.library.version, kind)
            self._came += 1
        self.tell(f"{visitor.name}: {visitor.device.browser}, {describe(visitor.device)}")
        threading.Thread(target=self._measure, args=(number, visitor), daemon=True).start()
        return visitor

    def wait(self) -> tuple[Measurement | Failure, ...]:
        """Until all are done, or nobody comes any more."""
        until = time.monotonic() + self.page.wait_seconds
        while len(self.results) < self.page.phones:
            with contextlib.suppress(queue.Empty):
                self._ended.get(timeout=0.1)
                until = max(until, time.monotonic() + self.page.wait_seconds)
            idle = len(self.results) == self._came
            if idle and self._came < self.page.phones and time.monotonic() > until:
                break
        found = [self.results[number] for number in sorted(self.results)]
        for one in found:
            if isinstance(one, BaseException):
                raise one
        if not found:
            raise ConnectError(
                "nobody opened the page",
                expected=f"a browser in this network within {self.page.wait_seconds:g} s",
                hint="see that the phone is in the same network and that no firewall is between; --address "
                "names another address of this computer",
            )
        return tuple(one for one in found if isinstance(one, Measurement | Failure))

    def _measure(self, number: int, visitor: Visitor) -> None:
        try:
            result: Measurement | Failure | BaseException = self._measured(visitor)
        except EdgeSqueezeError as error:
            result = Failure(
                host=visitor.name,
                error=type(error).__name__,
                message=str(error),
                exit_code=error.exit_code,
            )
        except BaseException as error:
            result = error
        visitor.dismiss(*_farewell(result))
        self.results[number] = result
        self._ended.put(number)

    def _measured(self, visitor: Visitor) -> Measurement:
        settings = self.settings
        if settings.threads is not None:
            # Some pages have no threads; which, is known only when they come.
            most = visitor.device.usable_cores
            kept = tuple(count for count in settings.threads if count <= most)
            settings = replace(settings, threads=kept or (most,))
        if self.page.webgpu:
            settings = replace(settings, threads=(1,))
        measured = measure_on(self.model, visitor, settings)
        return measured.model_copy(update={"findings": (*measured.findings, *_findings(visitor))})


def _findings(visitor: Visitor) -> Iterator[Finding]:
    if visitor.group > 1:
        step = float(visitor.told.get("clock_ms") or 0.0)
        message = (
            f"the browser's clock has steps of {step:.3g} ms: {visitor.group:,} inferences were timed "
            "together, so that the percentiles are of such groups"
        )
        yield Finding(code="coarse-clock", subject="clock", message=message)
    if visitor.accelerator == "wasm" and visitor.device.usable_cores < visitor.device.cores:
        secure = visitor.told.get("secure") is True
        why = (
            "this browser lacks what LiteRT.js's threads need"
            if secure
            else "browsers allow threads to pages that come over https"
        )
        hint = "" if secure else ": --https"
        message = f"one thread of {visitor.device.cores} cores: {why}{hint}"
        yield Finding(code="no-threads", subject="threads", message=message)


def _farewell(result: Measurement | Failure | BaseException) -> tuple[str, bool]:
    """What a page shows at the end, and whether all is well."""
    if not isinstance(result, Measurement):
        problem = result.message.splitlines()[0] if isinstance(result, Failure) else str(result)
        return f"It did not work: {problem}", False
    one = result.threads[0]
    verdict = "right" if result.outputs.ok else "WRONG"
    text = f"Done: {one.median_ms:.3g} ms for one inference. The outputs are {verdict}."
    return f"{text}\nThe computer has the rest; this page may be closed.", result.outputs.ok


def _check_types(model: TfliteModel, page: Page) -> None:
    tensors = (*model.main.input_tensors, *model.main.output_tensors)
    other = [tensor for tensor in tensors if tensor.dtype not in GPU_TYPES]
    if page.webgpu and other:
        raise UnsupportedModelError(
            f"LiteRT.js does not take {other[0].dtype} in WebGPU",
            expected=f"inputs and outputs of {', '.join(GPU_TYPES)}",
            got=", ".join(f"{tensor.label} {tensor.dtype}" for tensor in other),
            hint="compress with --io float32, or leave out --webgpu",
        )
