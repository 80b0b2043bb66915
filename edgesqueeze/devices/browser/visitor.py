"""A page that is open somewhere: what it is asked, what it answers, and whether it is still there.

The page asks for work again and again and brings the result of the last job with it; what measures waits for
that here. Whatever a page says is read as untrusted data.
"""

from __future__ import annotations

import base64
import queue
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from edgesqueeze.base.arrays import Array
from edgesqueeze.devices.browser.look import browser_device
from edgesqueeze.devices.browser.order import signature_order
from edgesqueeze.devices.faults import clean
from edgesqueeze.devices.jobs import Job, JobResult
from edgesqueeze.devices.look import Device
from edgesqueeze.devices.results import result_of
from edgesqueeze.errors import DeviceError, EdgeSqueezeError
from edgesqueeze.graph import Graph, TfliteModel, parse_tflite

POLL_SECONDS = 10.0
"""How long a request for work is kept waiting."""
SILENCE_SECONDS = 60.0
"""A page that runs a model says so every five seconds, but for single inferences that take longer."""
FAREWELL_SECONDS = 5.0
RUNTIME, ON_GPU = "litert.js", "litert.js-webgpu"
NAMES = {"wasm": RUNTIME, "webgpu": ON_GPU}

Message = Mapping[str, Any]


class Visitor:
    """A device with a page that runs jobs; what ``measure_on`` needs of a session.

    Attributes:
        name: what to call it: ``browser 1``.
        device: what the device is, as far as a browser tells.
        ready_seconds: time until it could take jobs, in seconds.
        models: content of the models that it may load now, by SHA-256.
    """

    def __init__(self, name: str, told: Message, version: str, accelerator: str = "wasm") -> None:
        self.name = name
        self.accelerator = accelerator
        self.version = version
        self.told = told
        self.device = browser_device(told, {NAMES[accelerator]: version})
        self.ready_seconds = 0.0
        self.models: dict[str, bytes] = {}
        self.group = 1
        self._work: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._heard = time.monotonic()
        self._gone = False
        self._told_verdict = threading.Event()

    # What the server calls, from the threads of requests.

    def heard(self) -> None:
        """The page is there."""
        self._heard = time.monotonic()

    def left(self) -> None:
        """The page was closed."""
        self._gone = True

    def next(self, result: Any, wait: float = POLL_SECONDS) -> Message:
        """Take the result of the last job, and give the next; ``{}`` if there is none for a while."""
        self.heard()
        if isinstance(result, dict):
            self._results.put(result)
        try:
            message = self._work.get(timeout=wait)
        except queue.Empty:
            return {}
        self.heard()
        if message.get("done"):
            self._told_verdict.set()
        return message

    # What measures calls.

    def look(self) -> Device:
        """What the device is: a browser does not tell how it is just now."""
        return self.device

    def run(self, jobs: Sequence[Job]) -> list[JobResult]:
        """Run jobs one after the other. A job that fails has its ``error``, and the others go on.

        Raises:
            DeviceError: the page was closed, went silent, or answers what makes no sense.
        """
        return [self._run_one(job) for job in jobs]

    def dismiss(self, text: str, ok: bool) -> None:
        """Tell the page that it is done, and wait until it knows."""
        self._work.put({"done": True, "text": text, "ok": ok})
        until = time.monotonic() + FAREWELL_SECONDS
        while not self._told_verdict.wait(0.05) and not self._gone and time.monotonic() < until:
            pass

    def _run_one(self, job: Job) -> JobResult:
        model = parse_tflite(job.content, job.name)
        self.models = {job.sha256: job.content}
        self._work.put({"job": _message(job, model, self.accelerator)})
        told = self._answer(job.time_limit)
        try:
            return self._result(job, model.main, told, signature_order(model).outputs)
        except (TypeError, ValueError, AttributeError, LookupError, OverflowError, MemoryError) as error:
            raise DeviceError(
                f"{self.name} sent a result that makes no sense",
                expected="times, and outputs of the model's types and shapes",
                got=clean(f"{type(error).__name__}: {error}"),
                hint="load the page again",
            ) from error

    def _answer(self, seconds: float) -> Message:
        until = time.monotonic() + seconds
        while True:
            try:
                return self._results.get(timeout=0.1)
            except queue.Empty:
                pass
            if self._gone:
                raise self._lost("its page was closed")
            silent = time.monotonic() - self._heard
            if silent > SILENCE_SECONDS or time.monotonic() > until:
                raise self._lost(f"it has said nothing for {silent:.0f} s")

    def _lost(self, why: str) -> EdgeSqueezeError:
        return DeviceError(
            f"{self.name} is gone: {why}",
            expected="a page that stays open and in front until it is done",
            hint="open the address again, and keep the screen on",
        )

    def _result(self, job: Job, graph: Graph, told: Message, order: Sequence[int]) -> JobResult:
        plain = {**told, "outputs": None, "runtime": NAMES[self.accelerator], "runtime_version": self.version}
        result = result_of(replace(job, want_outputs=False), plain)
        if result.error:
            return result
        self.group = max(self.group, int(told["group"]))
        first = float(told["first_ns"]) / 1e6
        if not 0 <= first < float("inf"):
            raise ValueError(f"expected a time, got {first} ms")
        outputs = list(told["outputs"])
        if len(outputs) != len(graph.outputs):
            raise ValueError(f"expected {len(graph.outputs)} outputs, got {len(outputs)}")
        arrays = tuple(
            _array(outputs[place], tensor.dtype, tensor.shape)
            for place, tensor in zip(order, graph.output_tensors, strict=True)
        )
        return replace(result, name=job.name, outputs=arrays, first_ms=first)


def _message(job: Job, model: TfliteModel, accelerator: str) -> dict[str, Any]:
    graph = model.main
    places = signature_order(model).inputs
    inputs = job.inputs or ()
    details = [{"dtype": one.dtype, "shape": list(one.shape)} for one in graph.input_tensors]
    return {
        "sha256": job.sha256,
        "accelerator": accelerator,
        "threads": job.threads,
        "inputs": [_text(inputs[place]) for place in places],
        "details": [details[place] for place in places],
        # What only computes is not timed.
        "measure": job.max_seconds > 0,
        "warmup_runs": job.warmup_runs,
        "warmup_seconds": job.warmup_seconds,
        "min_runs": job.min_runs,
        "min_seconds": job.min_seconds,
        "max_seconds": job.max_seconds,
        "sustain_seconds": job.sustain_seconds,
        "restart": job.restart,
    }


def _text(values: Array) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()


def _array(text: str, dtype: str, shape: tuple[int, ...]) -> Array:
    raw = base64.b64decode(text, validate=True)
    return np.frombuffer(raw, np.dtype(dtype).newbyteorder("<")).reshape(shape)
