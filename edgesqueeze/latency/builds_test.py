import pytest

from edgesqueeze.errors import UsageError
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.graph.read import parse_tflite
from edgesqueeze.latency.builds import BUILDS, as_built
from edgesqueeze.latency.tflm import predict
from edgesqueeze.latency.work import work_of
from edgesqueeze.target.load import load_target

BOARD = "nucleo-l4r5zi"


def works(dtype="int8", last="relu"):
    graph = GraphBuilder()
    x = graph.conv2d(graph.input((1, 16, 16, 8), dtype), 16, 3)
    x = graph.mean(x) if last == "mean" else graph.conv2d(x, 4, 1)
    return work_of(parse_tflite(graph.build([x])))


def milliseconds(target, build, dtype="int8"):
    return predict(works(dtype), load_target(target), build).total.estimate


# EdgeMark's int8 models with convolutions took 1.32 to 1.51 times as long on the board,
# float32 ones 3.8 to 8.2.
@pytest.mark.parametrize(("dtype", "low", "high"), [("int8", 1.3, 1.6), ("float32", 3.5, 10)])
def test_built_for_size_takes_as_much_longer_as_was_published(dtype, low, high):
    assert low < milliseconds(BOARD, "Os", dtype) / milliseconds(BOARD, "O3", dtype) < high


@pytest.mark.parametrize("target", ["pico", "stm32f746g-disco", "corstone-300"])
def test_every_counted_core_knows_a_build_for_size(target):
    assert 1 < milliseconds(target, "Os") / milliseconds(target, "O3") < 2.3


def test_a_build_widens_the_bounds():
    speed, size = (predict(works(), load_target(BOARD), build).total for build in ("O3", "Os"))
    assert size.high / size.low > 1.02 * speed.high / speed.low


def test_without_an_fpu_float32_alone_takes_longer():
    assert milliseconds(BOARD, "nofpu") == milliseconds(BOARD, "O3")
    assert milliseconds(BOARD, "nofpu", "float32") > 3 * milliseconds(BOARD, "O3", "float32")


def test_arduino_builds_for_size_and_lacks_kernels():
    model, target = works(last="mean"), load_target("nano33ble-sense")
    found = predict(model, target, "arduino")
    assert found.total == predict(model, target, "Os").total
    assert "as Arduino builds, for size (-Os)" in found.runtime_version
    assert "no kernels of CMSIS-NN for MEAN: reference kernels" in found.basis[-1]
    assert "from Arduino's library" in predict(works(), target, "arduino").basis[-1]


def test_nothing_is_known_of_o2():
    with pytest.raises(
        UsageError, match="nothing is known of TensorFlow Lite Micro built for speed"
    ) as caught:
        predict(works(), load_target(BOARD), "O2")
    assert "arduino" in str(caught.value)


@pytest.mark.parametrize("build", list(BUILDS))
@pytest.mark.parametrize("target", [BOARD, "alif-e7", "pico"])
def test_only_one_build_leaves_the_fpu_alone(target, build):
    cpu = load_target(target).cpu
    found = as_built(cpu, build)
    assert (found == cpu) == (build != "nofpu" or cpu.fpu == "none")
    assert found.core == cpu.core and (found.mve == "none") == (cpu.mve == "none")
