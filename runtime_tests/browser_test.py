"""A model in a real browser: headless Chromium plays the phones, with LiteRT.js from npm."""

import contextlib
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgesqueeze.devices.browser.litert_js import litert_js
from edgesqueeze.errors import MissingToolError
from edgesqueeze.graph import parse_tflite
from runtime_tests.support.chromium import chromium, open_tab
from runtime_tests.support.fake_phone import FakePhone
from runtime_tests.support.tflite_builder import tiny_residual, tiny_two_heads
from runtime_tests.support.tools import require_tool

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[1]
SECONDS = 600


@pytest.fixture(scope="module")
def library():
    """LiteRT.js, from the cache or from npm."""
    try:
        return litert_js()
    except MissingToolError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


@contextlib.contextmanager
def opened(address):
    """A browser of its own at an address, which takes any certificate."""
    with chromium() as port, contextlib.closing(open_tab(port)) as tab:
        tab.call("Security.setIgnoreCertificateErrors", ignore=True)
        tab.call("Page.navigate", url=address)
        yield


@contextlib.contextmanager
def benching(model, folder, *options):
    """``bench --browser`` at work, and the address that it shows."""
    said = folder / "said.txt"
    command = [sys.executable, "-m", "edgesqueeze", "bench", str(model), "--browser", "--json"]
    command += ["--address", "127.0.0.1", "--sustain", "1", *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with said.open("w") as stream:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stream, env=environment, text=True)
    try:
        until = time.monotonic() + SECONDS
        while not (found := re.search(r"https?://\S+/", said.read_text())):
            assert process.poll() is None and time.monotonic() < until, said.read_text()
            time.sleep(0.05)
        yield process, found[0]
    finally:
        process.kill()
        process.wait()


def test_two_phones_at_once_and_a_third_that_leaves(tmp_path, library):
    """Threads and SIMD in both, int8 in and out, and the outputs of this computer's LiteRT to the bit."""
    model = tmp_path / "tiny.tflite"
    model.write_bytes(tiny_residual())
    with benching(model, tmp_path, "--phones", "3", "--threads", "1") as (process, address):
        FakePhone(address, lambda job, outputs: None).join(SECONDS)
        with opened(address), opened(address):
            output, _ = process.communicate(timeout=SECONDS)
    document = json.loads(output)
    assert process.returncode == 1
    assert [one["host"] for one in document["failures"]] == ["browser 1"], document["failures"]
    assert [one["host"] for one in document["boards"]] == ["browser 2", "browser 3"]
    for one in document["boards"]:
        assert one["device"]["browser"].startswith("Chromium ")
        assert one["outputs"]["ok"] and one["outputs"]["max_lsb"] <= 1
        (run,) = one["threads"]
        assert 0 < run["min_ms"] <= run["median_ms"] <= run["p90_ms"] <= run["p99_ms"]
        assert run["first_ms"] > 0
        assert one["sustained"]


def test_over_https_and_with_inputs_in_another_order(tmp_path, library):
    """Several inputs and outputs of two types, a certificate of our own, and all threads that there are."""
    require_tool("openssl", "openssl")
    model = tmp_path / "heads.tflite"
    model.write_bytes(tiny_two_heads())
    with (
        benching(model, tmp_path, "--https") as (process, address),
        opened(address),
    ):
        assert address.startswith("https://")
        output, _ = process.communicate(timeout=SECONDS)
    document = json.loads(output)
    assert process.returncode == 0
    assert document["sha256"] == parse_tflite(tiny_two_heads()).sha256
    assert document["threads"][0]["threads"] == 1
    assert document["device"]["usable_cores"] == document["device"]["cores"]
    assert document["outputs"]["ok"]
