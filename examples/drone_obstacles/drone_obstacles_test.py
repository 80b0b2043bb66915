"""The example as its README tells it, hardly trained; its parts on places that are made here."""

import io
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

import edgesqueeze
from examples.common.output import write_firmware
from examples.drone_obstacles import judge, picture, trees
from examples.drone_obstacles.firmware_folder import answers_of, emulated, firmware_files
from examples.drone_obstacles.run import HERE, ahead_of
from examples.drone_obstacles.search import searched
from examples.drone_obstacles.tables import tables
from examples.drone_obstacles.trees import CELL, FRAME, Place
from runtime_tests.support.tools import require_tool

STRICT = ("-std=c99", "-O2", "-Wall", "-Wextra", "-Werror")


def a_place(rng, height=200, width=264):
    """Noise with some dark disks, which are the crowns."""
    y, x = np.mgrid[:height, :width]
    corners = rng.uniform(0, (width - 20, height - 20), (12, 2))
    boxes = np.hstack([corners, corners + 20])
    crowns = np.zeros((height, width), np.uint8)
    for left, top, _, _ in boxes:
        crowns[np.hypot(x - left - 10, y - top - 10) <= 10] = 255
    colours = rng.integers(90, 256, (height, width, 3)) - crowns[..., None] // 3
    return Place(colours.astype(np.uint8), crowns, boxes)


def test_a_photograph_and_boxes_become_cells():
    image = Image.new("RGB", (90, 70), (10, 200, 30))
    stored = io.BytesIO()
    image.save(stored, "PNG")
    sides = "<xmin>16</xmin><ymin>0</ymin><xmax>48</xmax><ymax>32</ymax>"
    boxes = f"<annotation><object><name>Tree</name><bndbox>{sides}</bndbox></object></annotation>"
    place = trees.place_of(stored.getvalue(), boxes.encode())
    assert place.picture.shape == (32, 40, 3)
    assert place.boxes.tolist() == [[8, 0, 24, 16]]
    # A circle over two by two cells covers pi/4 of each.
    np.testing.assert_allclose(trees.cover(place.crowns)[:2, 1:3], np.pi / 4, atol=0.08)
    assert place.occupied.sum() == 4
    assert len(place.part(16, 32).boxes) == 0
    assert len(place.part(0, 16).boxes) == 1


@pytest.mark.parametrize(("height", "width"), [(200, 264), (128, 128), (512, 624)])
def test_frames_join_to_the_place(height, width):
    rng = np.random.default_rng(0)
    values = rng.integers(0, 256, (height, width, 3), np.uint8)
    frames = trees.frames_of(values)
    cells = frames.reshape(-1, 16, CELL, 16, CELL, 3).mean((2, 4, 5))
    whole = values.reshape(height // CELL, CELL, width // CELL, CELL, 3).mean((1, 3, 4))
    np.testing.assert_allclose(trees.joined(cells, height, width), whole)


def test_a_frame_to_learn_from_has_its_crowns_where_it_shows_them():
    from examples.drone_obstacles.train import samples

    rng = np.random.default_rng(1)
    place = a_place(rng, 400, 400)
    # Crowns are black on white, whatever the light is.
    place = place._replace(picture=np.repeat(255 - place.crowns[..., None], 3, 2))
    frames, occupied = samples(place, 40, rng)
    dark = 255 - frames.reshape(-1, 16, CELL, 16, CELL, 3).mean((2, 4, 5))
    assert frames.shape == (40, FRAME, FRAME, 3) and occupied.shape == (40, 16, 16, 1)
    assert 0 < occupied.mean() < 0.5
    for cells, truth in zip(dark, occupied[..., 0], strict=True):
        if truth.any():
            assert cells[truth == 1].mean() > cells[truth == 0].mean()


def test_cells_and_trees_are_counted():
    place = a_place(np.random.default_rng(2))
    perfect = judge.score(place, place.occupied)
    assert (perfect.f1, perfect.low, perfect.high, perfect.far) == (1, 1, 1, 0)
    assert perfect.trees == 12
    nothing = judge.score(place, np.zeros_like(place.occupied))
    assert (nothing.f1, nothing.recall, nothing.trees_found) == (0, 0, 0)
    everything = judge.score(place, np.ones_like(place.occupied))
    share = place.occupied.mean()
    assert everything.f1 == pytest.approx(2 * share / (1 + share), abs=1e-3)
    assert everything.low < everything.f1 < everything.high
    assert everything.trees_found == 12 and everything.far > 0


def test_bounds_part_what_can_be_parted():
    truth = np.array([0, 0, 0, 1, 1, 1], bool)
    assert judge.least_score(truth, np.array([-9, -5, 1, 3, 4, 8], np.int8)) == 3
    values = np.array([0.1, 0.2, 0.15, 0.9, 0.8])
    assert (values >= judge.otsu(values)).tolist() == [False, False, False, True, True]


def test_the_classical_methods_find_what_is_plain():
    rng = np.random.default_rng(3)
    known, held_out, asked = (a_place(rng) for _ in range(3))
    found = judge.classical(known, held_out, {"asked": asked})
    assert found["every cell"]["asked"].all()
    assert judge.f1(asked.occupied, found["regression"]["asked"]) > 0.6
    assert found["excess green"]["asked"].shape == asked.occupied.shape


def test_what_is_ahead_is_told_from_front_to_drone():
    scores = np.full((4, 16, 16), -128, np.int8)
    scores[1, 7, 6], scores[2, 4, 9], scores[2, 7, 5], scores[3, 8, 7] = 5, 5, 5, 5
    answers = answers_of(scores, 5)
    assert answers["free"].tolist() == [8, 0, 3, 8]
    assert answers["rows"][2].tolist() == [0] * 4 + [1 << 9, 0, 0, 1 << 5] + [0] * 8


def test_the_time_of_a_frame_becomes_a_time_to_an_obstacle():
    told = ahead_of(50.0)
    assert told["frames_a_second"] == 20
    assert told["metres_a_frame"] == 0.4
    assert told["metres_ahead_when_known"] == 12.0
    assert told["seconds_to_obstacle_when_known"] == 1.5


def test_the_search_is_for_the_firmware_and_leaves_pruning_open(monkeypatch, tmp_path):
    asked = {}
    monkeypatch.setattr(edgesqueeze, "search", lambda model, **others: asked.update(others))
    whole = edgesqueeze.load_recipe(HERE / "recipe.toml")
    searched(tmp_path, tmp_path, whole, "stm32h747i-disco", quick=True)
    assert asked["target"].runtime.name == "c"
    assert asked["limits"].max_latency == 40
    assert asked["recipe"].data == whole.data and asked["recipe"].quantize == whole.quantize
    assert asked["recipe"].prune == edgesqueeze.Recipe().prune != whole.prune


@pytest.fixture(scope="module")
def network():
    """A network that has learned nothing, as ``run`` compresses it."""
    from examples.drone_obstacles.train import build_model

    frames = trees.frames_of(a_place(np.random.default_rng(4)).picture)
    recipe = {"data": {"scale": 1 / 255}, "quantize": {"mode": "int8", "io": "int8"}}
    compressed = edgesqueeze.compress(
        build_model(),
        target="stm32h747i-disco",
        data=frames,
        recipe=edgesqueeze.parse_recipe(recipe),
    )
    return compressed.tflite, frames


@pytest.mark.slow
def test_the_firmware_on_a_board_is_its_twin(network, tmp_path):
    compiler = require_tool("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    require_tool("qemu-system-arm", "qemu-system-arm")
    model, frames = network
    scores = judge.scores_of(model, frames[:2])
    least = int(np.median(scores))
    files = firmware_files(model, "cortex-m7", least)
    answers, ran = emulated(files, "stm32h747i-disco", frames[:2])
    assert np.array_equal(answers, answers_of(scores, least))
    assert answers["rows"].any()
    assert ran.parts[1].instructions > 1e6
    write_firmware(tmp_path, files)
    core = ("-mcpu=cortex-m7", "-mthumb", "-mfpu=fpv5-d16", "-mfloat-abi=hard")
    places = [f"-I{folder}" for folder in {str((tmp_path / name).parent) for name in files}]
    for name in ("main.c", "obstacles.c"):
        command = [compiler, *STRICT, *core, *places, "-c", name, "-o", "object.o"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_a_flight_and_a_map_are_drawn(network, tmp_path):
    model, _ = network
    place = a_place(np.random.default_rng(5), 256, 512)
    places = dict.fromkeys(trees.JUDGED, place)
    picture.draw_places(places, dict.fromkeys(places, place.occupied), tmp_path / "result.png")
    colours = np.asarray(Image.open(tmp_path / "result.png").convert("RGB")).astype(int)
    assert colours.shape[1] > 1000
    picture.fly(model, 0, place, tmp_path / "flight.webp", 8.0, 5)
    with Image.open(tmp_path / "flight.webp") as flight:
        assert flight.n_frames == 5


@pytest.mark.slow
def test_all_of_it_from_nothing(tmp_path):
    require_tool("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    require_tool("qemu-system-arm", "qemu-system-arm")
    environment = {**os.environ, "PYTHONPATH": str(HERE.parents[1]), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-m", "examples.drone_obstacles.run", "--quick", "--out", tmp_path / "out"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    kept = json.loads((HERE / "results.json").read_text())
    # What does not depend on training is as it was when the README was written.
    assert results["classical"] == kept["classical"]
    assert results["trees"] == kept["trees"]
    assert results["verified"]
    (board,) = results["boards"].values()
    assert board["equals_python"]
    assert (tmp_path / "out" / "firmware" / "canopy.h").exists()
    assert (tmp_path / "out" / "flight.webp").stat().st_size < 1_500_000


def test_the_readme_names_every_file_and_has_the_figures_that_were_measured():
    text = (HERE / "README.md").read_text()
    for path in (path for folder in (HERE, HERE / "firmware") for path in folder.iterdir()):
        if path.is_file() and path.name not in ("README.md", "drone_obstacles_test.py"):
            assert path.name in text, path.name
    for table in tables(json.loads((HERE / "results.json").read_text())).split("\n\n"):
        assert table in text
