import pytest

from edgesqueeze.errors import UnsupportedModelError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.npu import NPUS, npu_of, refuse_npu
from edgesqueeze.runners import tflm
from edgesqueeze.target.runtimes import OPERATOR_SETS, refusal
from runtime_tests.support.tflite_builder import tiny_cnn, tiny_compiled


@pytest.mark.parametrize("name", NPUS)
def test_a_compiled_model_is_called_so(name):
    model = parse_tflite(tiny_compiled(name), "kws")
    assert npu_of(model) == NPUS[name]
    with pytest.raises(UnsupportedModelError) as caught:
        refuse_npu(model, "the latency cannot be predicted")
    assert caught.value.problem == f"the latency cannot be predicted: kws was compiled for {NPUS[name]}"
    assert caught.value.got == name


def test_other_models_pass():
    model = parse_tflite(tiny_cnn())
    assert npu_of(model) == ""
    refuse_npu(model, "nothing")
    assert npu_of(parse_tflite(tiny_compiled("TFLite_Detection_PostProcess"))) == ""


def test_no_runtime_of_ours_has_the_processor():
    model = parse_tflite(tiny_compiled("ethos-u"), "kws")
    with pytest.raises(UnsupportedModelError, match="was compiled for an Arm Ethos-U, which this computer"):
        tflm.run(model, [])
    for operators in OPERATOR_SETS.values():
        assert "only with such a processor" in refusal(operators, "ethos-u", "int8")
