import pytest

from edgesqueeze import bench, load_target, read_tflite
from edgesqueeze.errors import TargetError, UsageError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.latency.work import work_of
from edgesqueeze.target.load import list_targets
from runtime_tests.support.tflite_builder import tiny_cnn


@pytest.fixture
def model():
    return parse_tflite(tiny_cnn(), "tiny")


@pytest.mark.parametrize("target", list_targets(), ids=lambda target: target.name)
def test_every_target_has_a_prediction(model, target):
    result = bench(model, target, runtime=target.latency.runtime)
    latency = result.latency_ms
    assert (result.method, result.target, result.threads) == ("predicted", target.name, 1)
    assert 0 < latency.low < latency.estimate < latency.high
    assert result.runtime_version and result.basis
    assert [layer.index for layer in result.layers] == [work.index for work in work_of(model)]
    assert sum(layer.share for layer in result.layers) == pytest.approx(1, abs=0.01)
    assert sum(layer.latency_ms.estimate for layer in result.layers) <= latency.estimate * 1.01
    assert result.memory.flash_model_bytes == len(model.content)
    assert (result.memory.flash_code_bytes is None) != target.is_mcu


def test_a_phone_is_predicted_by_default(model):
    assert bench(model, load_target("pixel6")).runtime == "litert"


def test_threads_make_it_faster(model, tmp_path):
    (tmp_path / "tiny.tflite").write_bytes(model.content)
    read = read_tflite(tmp_path / "tiny.tflite")
    alone, four = (bench(read, load_target("rpi4"), threads=threads) for threads in (1, 4))
    assert four.latency_ms.estimate < alone.latency_ms.estimate


@pytest.mark.parametrize(
    ("target", "options", "words"),
    [
        ("rpi4", {"runtime": "c"}, "only those run native C"),
        ("rpi4", {"runtime": "tflm"}, "for another runtime"),
        ("rpi4", {"threads": 5}, "threads"),
        ("rpi4", {"build": "Os"}, "comes compiled"),
        ("rpi4", {"optimize": "size"}, "only native C is made"),
        ("nucleo-l4r5zi", {"runtime": "tflm", "build": "O2"}, "nothing is known"),
        ("nucleo-l4r5zi", {"threads": 2}, "one thread"),
        ("nucleo-l4r5zi", {"runtime": "tflm", "threads": 2}, "one thread"),
        ("nucleo-l4r5zi", {"runtime": "litert"}, "for another runtime"),
    ],
)
def test_what_makes_no_sense(model, target, options, words):
    with pytest.raises(UsageError, match=words):
        bench(model, load_target(target), **options)


def test_a_profile_without_a_latency_model_says_what_to_do(model):
    target = load_target("rpi4").model_copy(update={"latency": None})
    with pytest.raises(TargetError, match="no latency model") as caught:
        bench(model, target)
    assert "edgesqueeze calibrate" in str(caught.value)
