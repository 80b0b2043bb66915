import numpy as np
import pytest

from edgesqueeze.checks.trouble import find_trouble
from edgesqueeze.checks.unclipped import unclipped
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder

SAMPLES = 20
BACKGROUND = -1.0


def _model(opcode="ADD", shift=0.0, fused=None):
    """``hidden + shift``, whose range ends at the sum of the background; then one more operator."""
    graph = GraphBuilder(0)
    x = graph.input((1, 4, 4, 2), scale=0.02, zero_point=0)
    hidden = graph.tensor((1, 4, 4, 2), "int8", 0.02, 0, name="hidden")
    graph.op("ABS", [x], [hidden])
    added = graph.tensor((2,), "int8", 0.01, 0, data=np.round([shift * 100, 0]).astype(np.int8), name="shift")
    normed = graph.tensor((1, 4, 4, 2), "int8", 0.01, 28, name="normed")
    options = {} if fused is None else {"fusedActivationFunction": fused}
    graph.op(opcode, [hidden, added], [normed], **options)
    y = graph.tensor((1, 4, 4, 2), "int8", 0.02, 0, name="y")
    graph.op("ABS", [normed], [y])
    return parse_tflite(graph.build([y]))


def _found(shift):
    """Images of which half are background, by a model whose least value is -1.56."""
    model = _model(shift=shift)
    index = {one.name: one.index for one in model.main.tensors}
    rng = np.random.default_rng(0)
    hidden = rng.integers(-40, 40, (SAMPLES, 1, 4, 4, 2)).astype(np.int8)
    hidden[:, :, :2] = int(BACKGROUND / 0.02)
    real = hidden * 0.02 + np.array([shift, 0])
    normed = np.clip(np.round(real / 0.01) + 28, -128, 127).astype(np.int8)
    activations = {index["hidden"]: hidden, index["normed"]: normed}
    plain = rng.normal(0, 0.5, (SAMPLES, 4, 4, 2)).astype(np.float32)
    found = find_trouble(model, [plain], [plain], activations)
    return [one.subject for one in found if one.code == "saturated-activation"], normed


def test_a_constant_background_at_the_end_of_the_range_is_not_cut_off():
    found, normed = _found(-0.56)
    assert np.mean(normed == -128) > 0.2
    assert found == []


def test_what_would_lie_outside_is_cut_off():
    found, normed = _found(-0.9)
    assert np.mean(normed == -128) > 0.2
    assert found == ["normed"]


@pytest.mark.parametrize(
    ("opcode", "wanted"), [("ADD", [1.0, 0.4]), ("SUB", [0.0, 0.4]), ("MUL", [0.25, 0.0])]
)
def test_exact_results(opcode, wanted):
    model = _model(opcode, shift=0.5)
    operator = model.main.operators[1]
    hidden = np.broadcast_to(np.array([25, 20], np.int8), (3, 1, 4, 4, 2))
    result = unclipped(model.main, operator, {operator.inputs[0]: hidden})
    assert result.shape == (3, 1, 4, 4, 2)
    np.testing.assert_allclose(result[0, 0, 0, 0], wanted, atol=1e-6)


def test_what_is_not_told():
    model = _model()
    first, second, _ = model.main.operators
    assert unclipped(model.main, first, {}) is None
    assert unclipped(model.main, second, {}) is None
    fused = _model(fused="RELU")
    operator = fused.main.operators[1]
    hidden = np.zeros((3, 1, 4, 4, 2), np.int8)
    assert unclipped(fused.main, operator, {operator.inputs[0]: hidden}) is None


def test_samples_that_are_joined_along_the_first_dimension():
    """Values of a tensor without a batch of its own come as ``[samples * 2]``."""
    graph = GraphBuilder(0)
    x = graph.input((1, 4, 2), scale=0.02, zero_point=0)
    shift = graph.tensor((2,), "int8", 0.01, 0, name="shift")
    graph.op("ABS", [x], [shift])
    y = graph.tensor((1, 4, 2), "int8", 0.02, 0, name="y")
    graph.op("ADD", [x, shift], [y])
    model = parse_tflite(graph.build([y]))
    rng = np.random.default_rng(0)
    wide, narrow = rng.integers(-9, 9, (3, 1, 4, 2)).astype(np.int8), rng.integers(-9, 9, 6).astype(np.int8)
    found = unclipped(model.main, model.main.operators[1], {x: wide, shift: narrow})
    expected = wide * 0.02 + narrow.reshape(3, 1, 1, 2) * 0.01
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert unclipped(model.main, model.main.operators[1], {x: wide, shift: narrow[:4]}) is None
    assert unclipped(model.main, model.main.operators[1], {x: wide, shift: narrow[:5]}) is None
