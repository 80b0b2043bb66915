"""The latency model of TFLM against what it was fitted to: counts, published latencies, committed figures."""

import importlib
import json
import statistics
from pathlib import Path

import pytest

from edgesqueeze.graph.read import parse_tflite
from edgesqueeze.latency.residuals import summary
from edgesqueeze.latency.tflm_model import DATA, inference, layer_of, shipped_model
from edgesqueeze.latency.work import work_of
from edgesqueeze.target.load import list_targets, load_target
from runtime_tests.support.mltk_models import MODELS

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts" / "benchmarks"
BOARDS = {
    "m3": load_target("pico").cpu,
    "m4": load_target("nucleo-l4r5zi").cpu,
    "m7": load_target("stm32f746g-disco").cpu,
    "m55": load_target("corstone-300").cpu,
}
"""Processors that are taken to run the code of the counted cores."""

INT8 = "Cortex-M4, TFLM + CMSIS-NN, int8"


@pytest.fixture(scope="module")
def script():
    """Loads a module of ``scripts/benchmarks``."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(SCRIPTS))
        yield importlib.import_module


@pytest.fixture(scope="module")
def residuals(script):
    return script("accuracy_tflm").residuals()


def figures_agree(committed, fitted, place=""):
    if isinstance(committed, dict):
        assert committed.keys() == fitted.keys(), place
        for key, value in committed.items():
            figures_agree(value, fitted[key], f"{place}.{key}")
    elif isinstance(committed, list):
        for one, two in zip(committed, fitted, strict=True):
            figures_agree(one, two, place)
    else:
        assert committed == (fitted if isinstance(fitted, str) else pytest.approx(fitted, rel=1e-6)), place


def test_the_committed_model_is_what_the_script_fits(script):
    committed = json.loads(DATA.read_text(encoding="utf-8"))
    figures_agree(committed, script("fit_tflm").content())


def test_profiles_say_what_the_script_says(script):
    module = script("tflm_targets")
    assert set(module.TARGETS) == {target.name for target in list_targets() if target.is_mcu}
    for name in module.TARGETS:
        said, found = load_target(name).latency, module.figures(name)
        assert said.cycles_per_instruction.by_rate() == pytest.approx(found.rates, rel=5e-3), name
        for field in ("interval", "dense_interval", "float32_interval"):
            interval = getattr(said, field)
            assert (interval.low, interval.high) == pytest.approx(getattr(found, field), abs=0.0051), name
        assert (said.version, said.basis) == (module.VERSION, found.basis)


@pytest.mark.parametrize("core", BOARDS)
def test_instructions_of_whole_models_are_those_that_were_counted(script, core):
    counts = script("tflm_counts")
    with counts.LAYERS.open(encoding="utf-8") as file:
        rows = [row for row in script("csv").DictReader(file) if row["core"] == core]
    errors = {}
    for model in MODELS:
        layers = tuple(layer_of(shipped_model(), work, BOARDS[core]) for work in counts.works(model))
        said = sum(inference(shipped_model(), layers).values())
        counted = sum(float(row["instructions"]) for row in rows if row["model"] == model)
        errors[model] = said / counted - 1
    assert max(map(abs, errors.values())) < 0.07, errors
    assert statistics.median(map(abs, errors.values())) < 0.02, errors


@pytest.mark.parametrize(
    ("core", "median", "highest"),
    [("m3", 0.03, 0.2), ("m4", 0.02, 0.1), ("m7", 0.02, 0.1), ("m55", 0.12, 0.4)],
)
def test_instructions_of_a_model_that_the_fit_leaves_out(script, core, median, highest):
    counts = script("tflm_counts")
    errors = {}
    for model in MODELS:
        fitted = counts.fit_core(core, frozenset({model}))
        points = [one for one in counts.counts(core) if one.model == model]
        said = sum(counts.total(fitted, one.family, one.loops) for one in points)
        errors[model] = abs(said / sum(one.instructions for one in points) - 1)
    # The only depthwise convolution with several channels for each input channel is in this one.
    assert errors.pop("audio_example1") < 0.5
    assert statistics.median(errors.values()) < median, errors
    assert max(errors.values()) < highest, errors


def test_published_int8_latencies_without_their_family(residuals):
    found = summary([one for one in residuals if one.group == INT8])
    assert found.count == 10
    assert found.median <= 0.12
    assert found.within[0.25] >= 0.9


def test_published_float32_latencies_without_their_family(residuals):
    found = summary(
        [one for one in residuals if one.arithmetic == "float32" and one.device == "NUCLEO-L4R5ZI"]
    )
    assert found.count == 10
    assert found.median <= 0.12
    assert found.coverage >= 0.9


def test_published_float32_latencies_without_an_fpu(residuals):
    """Networks of fully connected layers alone, on one board, one shape of network left out at a time."""
    found = summary([one for one in residuals if (one.core, one.arithmetic) == ("cortex-m0plus", "float32")])
    assert found.count == 11
    assert found.median <= 0.05
    assert found.percentile_90 <= 0.15


def test_published_latencies_of_other_devices(residuals):
    found = summary([one for one in residuals if (one.left_out, one.arithmetic) == ("device", "int8")])
    assert found.count == 33
    assert found.median <= 0.12
    assert found.percentile_90 <= 0.35
    assert found.coverage >= 0.85


def test_bounds_hold_nine_of_ten_cells(residuals):
    found = summary(residuals)
    assert (found.count, found.rows) == (112, 161)
    assert 0.85 <= found.coverage <= 0.95


def test_another_version_of_the_runtime_is_told_apart(residuals):
    """TFLM of 2021, of which no instructions were counted: its convolutions took 1.5 to 1.7 times as long."""
    found = {one.model: one.error for one in residuals if "2.3.1" in one.group}
    assert len(found) == 3
    assert min(found.values()) < -0.3


def test_a_left_out_model_has_no_part_in_its_prediction(script):
    published = script("tflm_published")
    row = next(row for row in published.fitted_rows("speed", "int8") if row.model == "TinyMLPerf_ResNet")
    assert row.name == "image_classification"
    fitted = published.counting_model("cortex-m4", frozenset({row.name})).instructions["cortex-m4"]
    assert "elementwise" not in fitted  # of which this model alone was counted
    assert published.predicted(row, "speed", frozenset({row.name})) != published.predicted(row, "speed")


@pytest.mark.parametrize("name", ["anomaly_detection", "keyword_spotting", "image_classification"])
def test_rebuilt_graphs_do_the_work_of_the_real_models(script, name):
    published, counts = script("tflm_published"), script("tflm_counts")
    row = next(row for row in published.rows() if row.name == name and row.arithmetic == "int8")
    # The real files convert inputs and outputs, and reshape them.
    left_out = ("convert", "move", "free")
    real, rebuilt = (
        [
            (one.kind, one.rows, one.depth, one.columns, one.taps, one.stride, one.macs)
            for one in works
            if one.kind not in left_out
        ]
        for works in (counts.works(name), row.works)
    )
    assert rebuilt == real


def test_every_published_graph_can_be_rebuilt(script):
    published = script("tflm_published")
    for row in published.rows():
        if row.use != "information":
            least = 10_000 if row.arithmetic == "int8" else 70
            assert sum(work.macs for work in row.works) >= least, row.id
            assert {work.arithmetic for work in row.works} == {row.arithmetic}


@pytest.mark.parametrize(
    ("text", "arithmetic", "message"),
    [
        ("dense: in8 4", "int4", "arithmetic"),
        ("recurrent: in8 4", "int8", "expected one of"),
        ("layers(same): 8x8x1 | lstm4 | dense2", "int8", "expected convNkNsN"),
    ],
)
def test_graphs_that_cannot_be_rebuilt(script, text, arithmetic, message):
    with pytest.raises(ValueError, match=message):
        script("published.cortex_m_graphs").build(text, arithmetic)


def test_a_rebuilt_graph_by_hand(script):
    text = "layers(same padding, relu, softmax out): 28x28x1 | conv4k3s2 max2s2 gap | dense6 dense10"
    works = work_of(parse_tflite(script("published.cortex_m_graphs").build(text, "fp32")))
    assert [one.opcode for one in works] == [
        "CONV_2D",
        "MAX_POOL_2D",
        "MEAN",
        "FULLY_CONNECTED",
        "FULLY_CONNECTED",
        "SOFTMAX",
    ]
    assert [one.macs for one in works] == [196 * 9 * 4, 0, 0, 24, 60, 0]
