"""The example as its README tells it, hardly trained; the app in a browser without a network."""

import contextlib
import functools
import http.server
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from runtime_tests.support.chromium import PATIENCE, chromium, open_tab
from runtime_tests.support.tools import require_tool

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@pytest.fixture(scope="module")
def nuclei():
    """The example's own modules, which lie beside each other."""
    sys.path.insert(0, str(HERE))
    try:
        import count
        import nuclei

        yield nuclei, count
    finally:
        sys.path.remove(str(HERE))


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """What ``run --quick`` makes from nothing."""
    require_tool("npm", "npm")
    folder = tmp_path_factory.mktemp("medical") / "out"
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "PYTHON": sys.executable,
    }
    done = subprocess.run(
        [HERE / "run", "--quick", folder], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return folder


@pytest.mark.slow
def test_the_model_is_small_and_says_what_the_app_needs(out):
    report = json.loads((out / "seed0" / "phone" / "report.json").read_text())
    assert report["ok"]
    assert report["sizes"]["tflite_bytes"] < 100 * 1024
    settings = json.loads((out / "site" / "model.json").read_text())
    assert (settings["labels"], settings["threshold"]) == (["nucleus"], 128)
    figures = json.loads((out / "figures.json").read_text())
    assert set(figures) == {"Otsu", str(out / "seed0/nuclei.keras"), str(out / "seed0/phone/model.tflite")}
    quarter = figures["Otsu"]["held-out quarter"]
    assert (quarter["right"], quarter["false"], quarter["missed"]) == (11, 5, 10)
    assert Image.open(out / "result.png").width > 1000


@pytest.mark.parametrize(("status", "rest"), [(0, True), (1, True), (2, False)])
def test_a_missed_limit_is_said_behind_all_results_and_wrong_use_ends_the_run(status, rest, tmp_path):
    asked, python = tmp_path / "asked", tmp_path / "python"
    python.write_text(f'#!/bin/sh\necho "$@" >> {asked}\n[ "$3" != compress ] || exit {status}\n')
    python.chmod(0o755)
    command = [HERE / "run", "--quick", tmp_path / "out"]
    environment = {**os.environ, "PYTHON": str(python)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == status
    assert ("judge.py" in asked.read_text()) == rest
    assert ("LIMIT MISSED, see above: seed 0" in done.stderr) == (status == 1)


@pytest.mark.slow
def test_the_app_counts_without_a_network_what_the_sdk_counts(out, nuclei, tmp_path):
    tools, count = nuclei
    picture, _ = tools.first_microscope(out / "data")
    # Neither side is a multiple of a tile's, and the darkest pixel is not black.
    picture = np.maximum(picture[40:240, 100:333], 9)
    Image.fromarray(picture).save(tmp_path / "picture.png")
    found = in_the_app(out / "site", tmp_path / "picture.png")
    inside = count.inside_of(out / "seed0" / "phone" / "model.tflite", picture)
    there = np.frombuffer(found["inside"].encode(), np.uint8).reshape(picture.shape) == ord("1")
    np.testing.assert_array_equal(there, inside)
    assert found["count"] == tools.nuclei_of(inside).max() > 0


def in_the_app(site, picture):
    """What the app finds at a phone's size, opened once with and once without a server."""
    handler = functools.partial(Quiet, directory=site)
    with chromium() as port, contextlib.closing(open_tab(port)) as tab:
        for domain in ("Page", "Network", "DOM"):
            tab.call(f"{domain}.enable")
        tab.call(
            "Emulation.setDeviceMetricsOverride", width=390, height=844, deviceScaleFactor=2, mobile=True
        )
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            thread = threading.Thread(target=server.serve_forever, daemon=True)
            thread.start()
            address = f"http://127.0.0.1:{server.server_address[1]}/"
            tab.call("Page.navigate", url=address)
            wait_for(tab, "ready")
            server.shutdown()
            thread.join()
        limits = {"latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
        tab.call("Network.emulateNetworkConditions", offline=True, **limits)
        tab.call("Page.navigate", url="about:blank")
        tab.call("Page.navigate", url=address)
        wait_for(tab, "ready")
        root = tab.call("DOM.getDocument")["root"]["nodeId"]
        node = tab.call("DOM.querySelector", nodeId=root, selector="#file")["nodeId"]
        tab.call("DOM.setFileInputFiles", nodeId=node, files=[str(picture)])
        wait_for(tab, "done")
        assert tab.value("document.documentElement.scrollWidth") == 390
        shown = tab.value("document.getElementById('count').textContent")
        found = {name: tab.value(f"found.{name}") for name in ("count", "inside")}
    assert shown == f"{found['count']} {'nucleus' if found['count'] == 1 else 'nuclei'}"
    return found


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def wait_for(tab, state):
    """Until the app says that it is there."""
    deadline = time.monotonic() + 2 * PATIENCE
    while (seen := tab.value("document.body?.dataset.state")) != state:
        assert seen != "failed" and time.monotonic() < deadline, tab.value("document.body.innerText")
        time.sleep(0.1)


def test_tiles_join_to_the_picture(nuclei):
    tools, _ = nuclei
    picture = np.random.default_rng(0).integers(0, 256, (100, 131), np.uint8)
    np.testing.assert_array_equal(tools.joined(tools.tiles(picture), picture.shape), picture)


def test_nuclei_are_right_false_or_missed_and_those_at_the_border_do_not_count(nuclei):
    tools, _ = nuclei
    truth = np.zeros((60, 60), np.int32)
    truth[10:20, 10:20], truth[30:40, 30:40], truth[0:10, 40:50], truth[50:52, 20:23] = 1, 2, 3, 4
    found = np.zeros_like(truth)
    found[10:20, 10:18], found[44:54, 10:20], found[0:6, 40:50], found[20:30, 54:60] = 1, 2, 3, 4
    assert tools.score(found, truth)[:3] == (1, 1, 1)
    assert tools.score(truth, truth)[:3] == (2, 1, 0)
    assert tools.score(np.zeros_like(truth), truth)[:3] == (0, 0, 2)


def test_otsu_parts_two_levels(nuclei):
    tools, _ = nuclei
    picture = np.array([[10, 12, 11, 200], [210, 9, 13, 205]], np.uint8)
    np.testing.assert_array_equal(tools.otsu(picture), picture > 100)


def test_the_readme_names_every_file():
    text = (HERE / "README.md").read_text()
    for path in HERE.iterdir():
        if path.is_file() and path.name not in ("README.md", "medical_phone_test.py"):
            assert f"`{path.name}`" in text, path.name
