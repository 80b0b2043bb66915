import math
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgesqueeze.errors import TargetError
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.graph.read import parse_tflite
from edgesqueeze.latency.tflm import predict
from edgesqueeze.latency.tflm_model import counted_core, inference, layer_of, shipped_model
from edgesqueeze.latency.work import Work, work_of
from edgesqueeze.target.load import list_targets, load_target
from runtime_tests.support.tflite_builder import tiny_cnn, tiny_dense, tiny_residual

BOARD = "nucleo-l4r5zi"
MICROCONTROLLERS = [target.name for target in list_targets() if target.is_mcu]
NAMES = ("total", "layers", "runtime", "runtime_version", "threads", "basis")


def works_of(content):
    return work_of(parse_tflite(content))


def keywords(dtype="int8"):
    """MLPerf Tiny's keyword spotting."""
    graph = GraphBuilder()
    x = graph.conv2d(graph.input((1, 49, 10, 1), dtype), 64, (10, 4), stride=2, activation="RELU")
    for _ in range(4):
        x = graph.conv2d(graph.depthwise_conv2d(x, activation="RELU"), 64, 1, activation="RELU")
    x = graph.reshape(graph.mean(x), (1, 64))
    return works_of(graph.build([graph.softmax(graph.fully_connected(x, 12))]))


def conv(**changes):
    """A 3x3 convolution, 16x16x16 in, 32 channels out."""
    fields = {
        "index": 0,
        "opcode": "CONV_2D",
        "name": "y",
        "kind": "conv",
        "arithmetic": "int8",
        "shapes": "",
        "rows": 256,
        "depth": 144,
        "columns": 32,
        "taps": 9,
        "stride": 1,
        "macs": 256 * 144 * 32,
        "inputs": 4096,
        "outputs": 8192,
        "element_bytes": 1,
        "weight_bytes": 144 * 32,
    }
    return Work(**{**fields, **changes})


def reach(bounds):
    """Logarithm of the upper over the lower bound."""
    return math.log(bounds.high / bounds.low)


@pytest.mark.parametrize("name", MICROCONTROLLERS)
@pytest.mark.parametrize("content", [tiny_cnn(), tiny_dense(), tiny_dense(dtype="float32"), tiny_residual()])
def test_every_microcontroller_has_a_prediction(name, content):
    works = works_of(content)
    found = predict(works, load_target(name))
    assert len(found.layers) == len(works)
    for bounds in (found.total, *found.layers):
        assert 0 <= bounds.low <= bounds.estimate <= bounds.high < 100
    # The interpreter takes what the layers do not.
    assert sum(layer.estimate for layer in found.layers) == pytest.approx(found.total.estimate, rel=0.1)
    assert (found.runtime, found.threads) == ("tflm", 1)
    assert found.runtime_version == load_target(name).latency.version
    assert all(found.basis)


# EdgeMark's measurements on this board: 110.6 ms, and 712.7 ms in float32.
@pytest.mark.parametrize(("dtype", "measured"), [("int8", 110.6), ("float32", 712.7)])
def test_published_latency_of_keyword_spotting(dtype, measured):
    found = predict(keywords(dtype), load_target(BOARD)).total
    assert found.estimate == pytest.approx(measured, rel=0.12)
    assert found.low < measured < found.high


def test_layers_have_wider_bounds_than_the_whole():
    found = predict(keywords(), load_target(BOARD))
    assert min(map(reach, found.layers)) > reach(found.total)


def test_a_board_that_was_not_measured_has_wider_bounds():
    works = keywords()
    measured, scaled, assumed = (
        reach(predict(works, load_target(name)).total) for name in (BOARD, "nrf5340dk", "alif-e7")
    )
    assert measured < scaled < assumed
    assert "measured on this very board" in predict(works, load_target(BOARD)).basis[0]
    assert "no published measurement" in predict(works, load_target("nrf5340dk")).basis[0]


def test_faster_cores_are_faster():
    works = keywords()
    order = ["corstone-300", "pico", "nano33ble-sense", "nucleo-l4r5zi", "nucleo-h7a3zi-q", "alif-e7"]
    found = {name: predict(works, load_target(name)).total.estimate for name in order}
    assert found["alif-e7"] < found["nucleo-h7a3zi-q"] < found["nucleo-l4r5zi"]
    assert found["nucleo-l4r5zi"] < found["nano33ble-sense"] < found["pico"]
    # The same core at 32 and at 400 MHz.
    assert found["corstone-300"] == pytest.approx(found["alif-e7"] * 400 / 32)


@pytest.mark.parametrize(
    ("target", "core"),
    [
        ("pico", "cortex-m3"),
        ("nrf5340dk", "cortex-m4"),
        ("stm32f746g-disco", "cortex-m7"),
        ("alif-e7", "cortex-m55"),
    ],
)
def test_every_core_has_the_code_of_a_counted_one(target, core):
    found = load_target(target)
    assert counted_core(found.cpu) == core
    said = predict(keywords(), found).basis[1]
    assert core in said and (found.cpu.core == core or f"a {found.cpu.core} is taken to run" in said)


def test_without_vectors_a_cortex_m55_runs_the_code_of_a_cortex_m4():
    cpu = load_target("alif-e7").cpu.model_copy(update={"mve": "none"})
    assert counted_core(cpu) == "cortex-m4"


def test_operators_that_were_never_counted_widen_the_bounds_and_are_named():
    def estimate(with_logistic):
        graph = GraphBuilder()
        x = graph.conv2d(graph.input((1, 16, 16, 8)), 8)
        return predict(
            works_of(graph.build([graph.unary("LOGISTIC", x) if with_logistic else x])), load_target(BOARD)
        )

    plain, guessed = estimate(False), estimate(True)
    assert reach(guessed.total) > reach(plain.total) * 1.05
    assert reach(guessed.layers[1]) > 2 * math.log(3)
    named = [sentence for sentence in guessed.basis if "LOGISTIC was never counted" in sentence]
    share = guessed.layers[1].estimate / guessed.total.estimate
    assert len(named) == 1 and f"{share:.0%} of the latency is a guess" in named[0]
    assert not [sentence for sentence in plain.basis if "never" in sentence]


@pytest.mark.parametrize("arithmetic", ["int16", "hybrid"])
def test_arithmetic_that_was_never_counted_has_wide_bounds(arithmetic):
    found = predict([conv(arithmetic=arithmetic)], load_target(BOARD))
    assert reach(found.total) > 2 * math.log(2) * 0.95
    assert any("CONV_2D" in sentence and "was never" in sentence for sentence in found.basis)


def test_int16_takes_longer_than_int8_and_float32_longer_still():
    int8, int16, float32 = (
        predict([conv(arithmetic=arithmetic)], load_target(BOARD)).total.estimate
        for arithmetic in ("int8", "int16", "float32")
    )
    assert int8 < int16 < float32


# Sudharsan et al.'s measurements on a Raspberry Pi Pico, in milliseconds.
@pytest.mark.parametrize(
    ("units", "measured"), [((4, 10, 3), 0.3138), ((13, *[10] * 10, 3), 3.021), ((64, 10, 50, 10), 4.314)]
)
def test_fully_connected_float32_in_software(units, measured):
    graph = GraphBuilder()
    x = graph.input((1, units[0]), "float32")
    for count in units[1:-1]:
        x = graph.fully_connected(x, count, "RELU")
    works = works_of(graph.build([graph.softmax(graph.fully_connected(x, units[-1]))]))
    found = predict(works, load_target("pico"))
    assert found.total.estimate == pytest.approx(measured, rel=0.06)
    assert not any("guess" in sentence for sentence in found.basis)


@pytest.mark.parametrize(
    ("dtype", "target", "counted", "floats"),
    [
        ("int8", BOARD, True, ""),
        ("float32", BOARD, False, "17 latencies of the NUCLEO-L4R5ZI"),
        ("float32", "stm32f746g-disco", False, "four times too high at worst"),
        ("float32", "pico", False, ""),
    ],
)
def test_what_float32_rests_on_is_said(dtype, target, counted, floats):
    words = predict(keywords(dtype), load_target(target)).basis
    assert any("counts of eight int8 models" in said for said in words) == (counted or target == "pico")
    assert any(floats in said for said in words if said.startswith("float32:")) == bool(floats)
    assert any("worst" in said for said in words) == ("worst" in floats)


def test_a_float32_convolution_in_software_is_a_guess():
    found = predict(keywords("float32"), load_target("pico"))
    assert any("CONV_2D in float32 was not measured on this core" in sentence for sentence in found.basis)


def test_float32_without_an_fpu_takes_longer():
    board = load_target(BOARD)
    without = board.model_copy(update={"cpu": board.cpu.model_copy(update={"fpu": "none"})})
    works = keywords("float32")
    assert predict(works, without).total.estimate > 2 * predict(works, board).total.estimate


@given(
    rows=st.integers(1, 500),
    channels=st.integers(1, 64),
    columns=st.integers(1, 128),
    window=st.sampled_from([1, 4, 9, 25]),
    grow=st.sampled_from(["rows", "channels", "columns"]),
    target=st.sampled_from(MICROCONTROLLERS),
    arithmetic=st.sampled_from(["int8", "int16", "float32"]),
    kind=st.sampled_from(["conv", "fully_connected", "depthwise"]),
)
@settings(derandomize=True, deadline=None, max_examples=300)
def test_twice_the_work_is_never_faster(rows, channels, columns, window, grow, target, arithmetic, kind):
    def estimate(**sizes):
        rows, channels, columns = sizes["rows"], sizes["channels"], sizes["columns"]
        taps = 1 if kind == "fully_connected" else window
        depth = taps if kind == "depthwise" else taps * channels
        work = conv(
            kind=kind,
            arithmetic=arithmetic,
            rows=rows,
            depth=depth,
            columns=columns,
            taps=taps,
            macs=rows * depth * columns,
            inputs=rows * (columns if kind == "depthwise" else channels),
            outputs=rows * columns,
        )
        return predict([work], load_target(target)).total.estimate

    sizes = {"rows": rows, "channels": channels, "columns": columns}
    assert estimate(**{**sizes, grow: 2 * sizes[grow]}) >= estimate(**sizes)


def test_an_empty_model_takes_the_interpreter_alone():
    found = predict([], load_target(BOARD))
    assert 0 < found.total.low < found.total.estimate < found.total.high < 0.01
    assert found.layers == ()


def test_instructions_are_added_up():
    model, cpu = shipped_model(), load_target(BOARD).cpu
    layers = tuple(layer_of(model, work, cpu) for work in keywords())
    totals = inference(model, layers)
    own = sum(sum(layer.instructions.values()) for layer in layers)
    assert sum(totals.values()) == pytest.approx(own + model.interpreter[1])


@pytest.mark.parametrize("name", ["rpi4", BOARD])
def test_a_target_without_the_section(name):
    target = load_target(name)
    target = target.model_copy(update={"latency": None}) if target.is_mcu else target
    with pytest.raises(TargetError, match="does not say how fast") as caught:
        predict(keywords(), target)
    assert "[latency]" in str(caught.value) and "nearest shipped target" in str(caught.value)


def test_the_estimate_is_a_plain_record():
    found = predict(keywords(), load_target(BOARD))
    assert found._fields == NAMES


def test_little_is_imported():
    code = (
        "import sys; from edgesqueeze.latency.tflm import predict; "
        "from edgesqueeze.target.load import load_target; predict([], load_target('pico')); "
        "heavy = {'tensorflow', 'scipy', 'jinja2', 'rich', 'ai_edge_litert.interpreter', 'tflite_micro'}; "
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_small_guesses_share_a_sentence():
    """Most of the time is in the convolutions; three others were never counted in int16 either."""
    graph = GraphBuilder(seed=1)
    x = graph.conv2d(graph.input((1, 32, 32, 8), "int16"), 32)
    x = graph.fully_connected(graph.reshape(graph.average_pool(x, 32), (1, 32)), 4)
    found = predict(works_of(graph.build([graph.softmax(x)])), load_target(BOARD))
    guessed = [sentence for sentence in found.basis if "is a guess" in sentence]
    assert len(guessed) <= 3
    assert "FULLY_CONNECTED in int16" in guessed[-1] and "SOFTMAX in int16" in guessed[-1]
