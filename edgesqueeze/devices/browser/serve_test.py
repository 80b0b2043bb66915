"""Phones that are right, that lie, leave, come too late or talk nonsense; without a browser."""

import base64
import json
import threading
import time
import urllib.error
import urllib.request

import numpy as np
import pytest

from edgesqueeze.devices.browser import litert_js
from edgesqueeze.devices.browser.serve import Page, measure_browsers
from edgesqueeze.devices.browser.server import is_near
from edgesqueeze.devices.measure import Settings
from edgesqueeze.devices.records import Failure, Measurement
from edgesqueeze.errors import ConnectError, UnsupportedModelError, UsageError
from edgesqueeze.graph import parse_tflite
from runtime_tests.support.fake_phone import SAID, FakePhone, honest
from runtime_tests.support.tflite_builder import tiny_cnn, tiny_open, tiny_two_heads

WAIT_SECONDS = 300
"""For what is bound to come, on a machine that has much else to do."""
QUICK = Settings(min_runs=3, min_seconds=0.0, max_seconds=0.1)


@pytest.fixture
def library(tmp_path):
    """Files where LiteRT.js has them: those that pretend to be phones do not run it."""
    for package in litert_js.PACKAGES:
        for name in package.files:
            path = tmp_path / "@litertjs" / package.name / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text('{"version": "9.9.9"}' if name == "package.json" else f"{package.name} {name}")
    return tmp_path


class Bench(threading.Thread):
    """``measure_browsers`` at work; its address is there at once, its result at the end."""

    def __init__(self, content, library, settings=QUICK, **page):
        super().__init__(daemon=True)
        self.model = parse_tflite(content, "tiny")
        self.page = Page(address="127.0.0.1", library=library, **page)
        self.settings, self.error, self.found, self.told = settings, None, (), []
        self.shown = threading.Event()
        self.start()
        assert self.shown.wait(WAIT_SECONDS), self.error

    def run(self):
        try:
            self.found = measure_browsers(
                self.model, self.page, self.settings, show=self.show, tell=self.told.append
            )
        except Exception as error:
            self.error = error

    def show(self, address):
        self.address = address
        self.shown.set()

    def end(self):
        self.join(WAIT_SECONDS)
        assert not self.is_alive()
        if self.error:
            raise self.error
        return self.found


def get(address):
    with urllib.request.urlopen(address, timeout=WAIT_SECONDS) as reply:
        return reply.read(), reply.headers


def test_a_phone_that_is_right(library):
    bench = Bench(tiny_two_heads(), library, Settings(max_seconds=0.1, sustain_seconds=1.0))
    phone = FakePhone(bench.address)
    (found,) = bench.end()
    assert found == Measurement.model_validate_json(found.model_dump_json())
    assert (found.host, found.runtime, found.runtime_version) == ("browser 1", "litert.js", "9.9.9")
    assert (found.device.browser, found.device.cores, found.device.usable_cores) == ("Firefox 140", 8, 1)
    (run,) = found.threads
    assert (run.median_ms, run.min_ms, run.first_ms, run.load_ms) == (2.0, 1.0, 9.0, 2.0)
    assert found.outputs.exact
    assert len(found.sustained) == 1
    messages = {one.code: one.message for one in found.findings}
    assert "4 inferences were timed together" in messages["coarse-clock"]
    assert "pages that come over https: --https" in messages["no-threads"]
    phone.join(WAIT_SECONDS)
    assert phone.verdict["ok"] is True
    assert bench.told == ["browser 1: Firefox 140, 8x arm core, wasm32"]


def test_one_lies_about_its_outputs_and_one_leaves_halfway_and_one_is_too_late(library):
    bench = Bench(tiny_cnn(), library, phones=3)

    def lie(job, outputs):
        wrong = (np.frombuffer(outputs[0], np.int8) ^ 0x55).tobytes()
        return honest(job, [wrong])

    liar = FakePhone(bench.address, lie)
    good = FakePhone(bench.address)
    leave = threading.Event()
    FakePhone(bench.address, lambda job, outputs: leave.wait(WAIT_SECONDS) and None)
    while len(bench.told) < 3:
        time.sleep(0.01)
    late = FakePhone(bench.address)
    late.join(WAIT_SECONDS)
    assert late.hello["enough"]
    leave.set()
    found = bench.end()
    measured = [one for one in found if isinstance(one, Measurement)]
    (gone,) = (one for one in found if isinstance(one, Failure))
    assert sorted(one.outputs.ok for one in measured) == [False, True]
    assert (gone.error, gone.exit_code) == ("DeviceError", 1)
    assert "its page was closed" in gone.message
    liar.join(WAIT_SECONDS)
    good.join(WAIT_SECONDS)
    assert (liar.verdict["ok"], good.verdict["ok"]) == (False, True)
    assert "WRONG" in liar.verdict["text"]


@pytest.mark.parametrize(
    "change",
    [
        {"outputs": [base64.b64encode(b"\0" * 3).decode()]},
        {"outputs": ["no base64!"]},
        {"outputs": []},
        {"times_ns": [-1.0]},
        {"times_ns": [float("nan")]},
        {"times_ns": []},
        {"load_ns": "soon"},
        {"first_ns": float("inf")},
        {"sustained": [[1, 2]]},
        {"group": None},
    ],
)
def test_nonsense_is_a_failure_of_the_device(library, change):
    bench = Bench(tiny_cnn(), library)
    FakePhone(bench.address, lambda job, outputs: {**honest(job, outputs), **change})
    (found,) = bench.end()
    assert isinstance(found, Failure)
    assert "sent a result that makes no sense" in found.message


def test_a_model_that_the_page_cannot_run_is_a_failure(library):
    bench = Bench(tiny_cnn(), library)
    phone = FakePhone(bench.address, lambda job, outputs: {"error": "no such\noperator"})
    (found,) = bench.end()
    assert "browser 1 cannot run tiny: no such operator" in found.message
    phone.join(WAIT_SECONDS)
    assert phone.verdict["ok"] is False


def test_silence_ends_it(library, monkeypatch):
    monkeypatch.setattr("edgesqueeze.devices.browser.visitor.SILENCE_SECONDS", 0.5)
    monkeypatch.setattr("edgesqueeze.devices.browser.visitor.FAREWELL_SECONDS", 0.1)
    bench = Bench(tiny_cnn(), library)
    silent = threading.Event()
    FakePhone(bench.address, lambda job, outputs: silent.wait(WAIT_SECONDS) and None)
    (found,) = bench.end()
    silent.set()
    assert "browser 1 is gone: it has said nothing" in found.message


def test_without_the_secret_there_is_nothing(library):
    bench = Bench(tiny_cnn(), library)
    root = bench.address.rsplit("/", 2)[0]
    for path in ("/", "/wrong/", "/wrong/page.js", f"/{'x' * 22}/hello"):
        with pytest.raises(urllib.error.HTTPError) as error:
            get(root + path)
        assert error.value.code == 404
    for what in ("model/0000", "../serve.py", "litert/core/package.jsn", "next?id=wrong"):
        with pytest.raises(urllib.error.HTTPError) as error:
            get(bench.address + what)
        assert error.value.code == 404
    page, headers = get(bench.address)
    assert b"page.js" in page
    assert headers["Cross-Origin-Embedder-Policy"] == "require-corp"
    assert get(bench.address + "litert/core/wasm/litert_wasm_internal.wasm")[1]["Content-Type"] == (
        "application/wasm"
    )
    FakePhone(bench.address)
    bench.end()
    # It ends by itself, and nothing listens any more.
    with pytest.raises(OSError):
        get(bench.address)


@pytest.mark.parametrize(
    "said", [{**SAID, "cores": 0}, {**SAID, "cores": "many"}, {**SAID, "memory_gib": -1}, {"agent": "x"}]
)
def test_who_says_nonsense_is_not_let_in(library, said):
    bench = Bench(tiny_cnn(), library)
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(bench.address + "hello", json.dumps(said).encode(), timeout=WAIT_SECONDS)
    assert error.value.code == 400
    FakePhone(bench.address)
    bench.end()


def test_nobody_comes(library):
    with pytest.raises(ConnectError, match="nobody opened the page"):
        Bench(tiny_cnn(), library, wait_seconds=0.1).end()


def test_what_cannot_be_served(library):
    with pytest.raises(UnsupportedModelError, match="does not take int8 in WebGPU"):
        measure_browsers(parse_tflite(tiny_cnn()), Page(webgpu=True, library=library), show=print)
    with pytest.raises(UnsupportedModelError, match="open"):
        measure_browsers(parse_tflite(tiny_open()), Page(library=library), show=print)
    with pytest.raises(UsageError, match="cannot listen on"):
        measure_browsers(parse_tflite(tiny_cnn()), Page(address="192.0.2.7", library=library), show=print)
    with pytest.raises(UsageError, match="nobody can be waited for"):
        Page(phones=0)


def test_only_near_addresses_are_served():
    near = ("127.0.0.1", "192.168.1.7", "10.0.0.2", "172.16.3.4", "169.254.1.1", "::1", "fe80::1%eth0")
    assert all(map(is_near, near))
    assert not any(map(is_near, ("8.8.8.8", "93.184.216.34", "2606:2800::1", "::ffff:8.8.8.8")))
