import pytest

from edgesqueeze.errors import FitError, UnsupportedModelError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.latency.predict import predict
from edgesqueeze.target.load import load_target
from runtime_tests.support.tflite_builder import tiny_compiled, tiny_hybrid, tiny_sum, tiny_uint8


def model(opcode, **options):
    """A convolution and one other operator."""
    graph = GraphBuilder(seed=1)
    x = graph.conv2d(graph.input((1, 8, 8, 4), "float32"), 4)
    y = graph.like(x, (1, 8, 8, 4))
    graph.op(opcode, [x], [y], **options)
    return parse_tflite(graph.build([y]), "net")


@pytest.mark.parametrize("opcode", ["WHILE", "IF"])
@pytest.mark.parametrize(("target", "runtime"), [("rpi4", "litert"), ("pico", "tflm")])
def test_control_flow_is_refused(opcode, target, runtime):
    with pytest.raises(UnsupportedModelError, match="control flow") as caught:
        predict(model(opcode), load_target(target), runtime=runtime)
    assert caught.value.got == opcode
    assert "bench --ssh" in caught.value.hint


CUSTOM, RARE = {"opcode": "CUSTOM", "custom_name": "Decode"}, {"opcode": "RFFT2D"}


@pytest.mark.parametrize(
    ("target", "runtime", "options"),
    [("rpi4", "litert", CUSTOM), ("pico", "tflm", CUSTOM), ("rpi4", "litert", RARE)],
)
def test_operators_that_nothing_is_known_of_are_named(options, target, runtime):
    found = predict(model(**options), load_target(target), runtime=runtime)
    said = [sentence for sentence in found.basis if sentence.startswith("What these operators take")]
    name = options.get("custom_name", options["opcode"])
    assert len(said) == 1 and said[0].endswith(f": {name}.")
    plain = predict(model("ABS"), load_target(target), runtime=runtime)
    assert not any("not known" in sentence for sentence in plain.basis if sentence.startswith("What"))


@pytest.mark.parametrize(("target", "runtime"), [("rpi4", "litert"), ("pico", "tflm")])
def test_variables_are_copied_and_their_handles_and_first_values_cost_next_to_nothing(target, runtime):
    found = predict(parse_tflite(tiny_sum()), load_target(target), runtime=runtime)
    times = {layer.opcode: layer.latency_ms.estimate for layer in found.layers}
    # TFLite Micro calls an operator that does nothing; LiteRT's profiles have no time for that.
    most = {"litert": 0, "tflm": 0.01}[runtime]
    assert max(times["CALL_ONCE"], times["VAR_HANDLE"]) <= most
    assert min(times["READ_VARIABLE"], times["ASSIGN_VARIABLE"], times["ADD"]) > most / 10
    assert not any("not known" in sentence for sentence in found.basis if sentence.startswith("What"))


@pytest.mark.parametrize(("target", "runtime"), [("rpi4", "litert"), ("pico", "tflm")])
def test_a_program_for_a_neural_processor_is_refused(target, runtime):
    compiled = parse_tflite(tiny_compiled("ethos-u"), "kws")
    with pytest.raises(UnsupportedModelError, match="kws was compiled for an Arm Ethos-U") as caught:
        predict(compiled, load_target(target), runtime=runtime)
    assert "the .tflite that the compiler was given" in caught.value.hint


@pytest.mark.parametrize(
    ("content", "got"),
    [
        (tiny_hybrid(), "takes no int8 weights with float32 input in FULLY_CONNECTED"),
        (tiny_uint8(), "has no uint8 kernel for FULLY_CONNECTED"),
        (model("RFFT2D").content, "has no operator RFFT2D"),
    ],
)
def test_what_the_runtime_refuses_takes_no_time(content, got):
    refused = parse_tflite(content, "net")
    with pytest.raises(FitError, match="cannot be predicted: tflm does not run it") as caught:
        predict(refused, load_target("pico"), runtime="tflm")
    assert got in caught.value.got
    assert "inspect --target pico" in caught.value.hint
    assert predict(refused, load_target("rpi4")).latency_ms.estimate > 0
