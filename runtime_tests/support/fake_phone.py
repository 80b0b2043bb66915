"""A phone without a browser: it speaks with the server of ``bench --browser`` as ``page.js`` does."""

from __future__ import annotations

import base64
import contextlib
import json
import threading
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from edgesqueeze.devices.browser.order import signature_order
from edgesqueeze.graph import parse_tflite
from edgesqueeze.runners import litert

SAID = {
    "agent": "Mozilla/5.0 (Android 15; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0",
    "brands": [],
    "platform": "Linux armv81",
    "platform_version": "",
    "device_model": "",
    "architecture": "arm",
    "cores": 8,
    "memory_gib": None,
    "isolated": False,
    "secure": False,
    "threads": False,
    "webgpu": False,
    "clock_ms": 0.1,
}

Answer = Callable[[Mapping[str, Any], list[bytes]], "dict[str, Any] | None"]


def honest(job: Mapping[str, Any], outputs: list[bytes]) -> dict[str, Any]:
    """What a page sends that has run a job."""
    return {
        "error": "",
        "load_ns": 2e6,
        "first_ns": 9e6,
        "times_ns": [1e6, 2e6, 3e6],
        "busy_ns": 1e9,
        "group": 4,
        "steady": True,
        "sustained": [[1.0, 2e6, None, None, None]] if job["sustain_seconds"] else [],
        "outputs": [base64.b64encode(raw).decode() for raw in outputs],
    }


class FakePhone(threading.Thread):
    """Opens the page, does all jobs, and keeps what it was told at the end.

    Args:
        address: of the page.
        answer: makes the result of a job from what LiteRT computes; None: it leaves.
        said: what it says about itself.
    """

    def __init__(self, address: str, answer: Answer = honest, said: Mapping[str, Any] | None = None) -> None:
        super().__init__(daemon=True)
        self.address, self.answer, self.said = address, answer, SAID if said is None else said
        self.hello: dict[str, Any] = {}
        self.verdict: dict[str, Any] = {}
        self.start()

    def run(self) -> None:
        self.hello = self.post("hello", self.said)
        result = None
        while self.hello["id"]:
            told = self.post("next", {"result": result})
            result = None
            if told.get("done"):
                self.verdict = told
                return
            if "job" in told:
                result = self.answer(told["job"], self.compute(told["job"]))
                if result is None:
                    # The server may have ended meanwhile.
                    with contextlib.suppress(OSError):
                        self.post("bye", {})
                    return

    def compute(self, job: Mapping[str, Any]) -> list[bytes]:
        """The outputs in the order of the model's signature."""
        number = self.hello["id"]
        with urllib.request.urlopen(f"{self.address}model/{job['sha256']}?id={number}", timeout=300) as reply:
            model = parse_tflite(reply.read())
        order = signature_order(model)
        sample: list[Any] = [None] * len(order.inputs)
        for place, text in zip(order.inputs, job["inputs"], strict=True):
            tensor = model.main.input_tensors[place]
            sample[place] = np.frombuffer(base64.b64decode(text), tensor.dtype).reshape(tensor.shape)
        outputs: list[bytes] = [b""] * len(order.outputs)
        for place, values in zip(order.outputs, litert.run(model, [sample])[0], strict=True):
            outputs[place] = values.tobytes()
        return outputs

    def post(self, what: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """One request, as the page makes it."""
        url = f"{self.address}{what}?id={self.hello.get('id', '')}"
        request = urllib.request.Request(url, json.dumps(body).encode(), method="POST")
        with urllib.request.urlopen(request, timeout=300) as reply:
            told: dict[str, Any] = json.load(reply)
        return told
