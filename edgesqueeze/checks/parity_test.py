from dataclasses import replace

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from edgesqueeze.checks import parity as module
from edgesqueeze.checks.parity import Reference, choose_reference, compare_runtimes
from edgesqueeze.checks.records import LayerDifference, RuntimeParity
from edgesqueeze.checks.replay import Difference
from edgesqueeze.errors import UnsupportedModelError
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.runners import litert
from edgesqueeze.runners.registry import RUNNERS, Runner, find_runner
from edgesqueeze.runners.samples import data_samples, random_data
from runtime_tests.support.tflite_builder import tiny_cnn, tiny_dense, tiny_residual

LITERT = find_runner("litert-reference")


def _case(content, count=8):
    model = parse_tflite(content)
    return model, data_samples(model, random_data(model, count))


def _reference(model, samples):
    return Reference(LITERT, litert.run_reference(model, samples), ())


def _with_bias_off_by(steps, index, name="faulty"):
    """A runtime whose operator number ``index`` adds too much: ``steps`` of its output's scale."""

    def run(model, samples):
        record = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(model.content, 0))
        graph = record.subgraphs[0]
        operator = graph.operators[index]
        bias = graph.tensors[operator.inputs[2]]
        scales = np.asarray(bias.quantization.scale)
        output_scale = graph.tensors[operator.outputs[0]].quantization.scale[0]
        buffer = record.buffers[bias.buffer]
        values = np.frombuffer(np.asarray(buffer.data, np.uint8).tobytes(), np.int32)
        values = (values + np.round(steps * output_scale / scales)).astype(np.int32)
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
        builder = flatbuffers.Builder(1024)
        builder.Finish(record.Pack(builder), b"TFL3")
        return litert.run_reference(parse_tflite(bytes(builder.Output())), samples)

    return Runner(name, name, lambda: None, run)


def _only(model, samples, runner, **options):
    parity = compare_runtimes(model, samples, [runner], reference=_reference(model, samples), **options)
    return parity, parity.runtimes[1]


def test_the_same_kernels_are_identical():
    model, samples = _case(tiny_cnn())
    parity, row = _only(model, samples, replace(LITERT, name="twin"))
    assert parity.ok
    assert (row.status, row.max_lsb, row.mean_lsb, row.differing_share) == ("identical", 0, 0, 0)
    assert row.top1_agreement == 1
    assert row.first_divergence is None
    assert parity.runtimes[0].status == "reference"


@pytest.mark.parametrize("index", [0, 1, 2])
def test_a_fault_is_found_where_it_is(index):
    model, samples = _case(tiny_cnn())
    parity, row = _only(model, samples, _with_bias_off_by(6, index))
    assert not parity.ok
    assert row.status == "broken"
    assert row.first_divergence.operator == index == row.worst_layer.operator
    assert row.first_divergence.kind == model.main.operators[index].kind
    assert 5 <= row.first_divergence.max_lsb <= 7
    assert "alone" in row.reason


def test_rounding_that_is_carried_on_is_not_a_fault():
    model, samples = _case(tiny_cnn())
    parity, row = _only(model, samples, _with_bias_off_by(1, 0))
    assert parity.ok
    assert row.status == "rounding"
    assert row.first_divergence.max_lsb == 1
    assert row.first_divergence.within_tolerance


def test_the_tolerance_is_the_users():
    model, samples = _case(tiny_cnn())
    assert not _only(model, samples, _with_bias_off_by(1, 0), tolerance_lsb=0.0)[0].ok
    assert _only(model, samples, _with_bias_off_by(6, 0), tolerance_lsb=8.0)[0].ok


def test_a_runtime_that_promises_the_bits_is_held_to_it():
    model, samples = _case(tiny_cnn())
    parity, row = _only(model, samples, replace(_with_bias_off_by(1, 0), exact=True))
    assert row.status == "broken"
    assert "bits" in row.reason
    assert row.first_divergence.operator == 0
    assert not parity.ok


def test_a_fault_outside_of_the_operators_is_one():
    model, samples = _case(tiny_residual())

    def mixed_up(model, samples):
        # Right in pieces, wrong as a whole, as an error in planning memory would be.
        outputs = litert.run_reference(model, samples)
        whole = len(model.main.inputs) == 1
        return [[np.roll(value, 1, -1) for value in row] for row in outputs] if whole else outputs

    _, row = _only(model, samples, Runner("mixed", "mixed", lambda: None, mixed_up))
    assert row.status == "broken"
    assert row.reason == "the outputs differ, and no operator differs alone"


def test_float_models_are_compared_relatively():
    model, samples = _case(tiny_dense(dtype="float32"))
    for factor, status in ((1 + 3e-5, "rounding"), (1.01, "broken")):

        def scaled(model, samples, factor=factor):
            outputs = litert.run_reference(model, samples)
            return [[value * np.float32(factor) for value in row] for row in outputs]

        _, row = _only(model, samples, Runner("scaled", "scaled", lambda: None, scaled))
        assert row.status == status
        assert row.max_lsb is None
        assert row.max_relative == pytest.approx(factor - 1, rel=0.05)


def test_dequantized_outputs_count_steps():
    model, samples = _case(tiny_cnn(io="float32"))
    _, row = _only(model, samples, _with_bias_off_by(40, 3))
    assert row.max_lsb == round(row.max_lsb) > 0
    assert row.max_relative is None


def _refusing(error):
    def run(model, samples):
        raise error

    return Runner("refusing", "Refusing", lambda: None, run)


def test_a_runtime_that_cannot_run_the_model_is_a_failure_only_if_asked_for():
    model, samples = _case(tiny_cnn())
    runner = _refusing(UnsupportedModelError("no such operator", got="FOO"))
    parity, row = _only(model, samples, runner)
    assert parity.ok
    assert (row.status, row.reason) == ("unsupported", "no such operator: FOO")
    assert not _only(model, samples, runner, required=True)[0].ok


def test_a_runtime_that_is_not_installed_is_listed():
    model, samples = _case(tiny_cnn())
    _, row = _only(model, samples, Runner("gone", "Gone", lambda: "install it", litert.run))
    assert (row.status, row.reason) == ("unavailable", "install it")


def test_the_reference_is_the_first_that_can():
    model, samples = _case(tiny_cnn())
    refusing = _refusing(UnsupportedModelError("no such operator"))
    reference = choose_reference(model, samples, [refusing, LITERT])
    assert reference.runner is LITERT
    parity = compare_runtimes(model, samples, [refusing, LITERT], reference=reference)
    assert [row.status for row in parity.runtimes] == ["reference", "unsupported"]
    with pytest.raises(UnsupportedModelError, match="no runtime"):
        choose_reference(model, samples, [refusing])


def test_the_record_survives_json():
    model, samples = _case(tiny_cnn())
    parity, _ = _only(model, samples, _with_bias_off_by(6, 0))
    assert type(parity).model_validate_json(parity.model_dump_json()) == parity


# How a difference is judged, on outputs and operators that are made up: nothing is run.


def _pieces(layers):
    """Operators that differ, without their values; None: the model cannot be taken apart."""
    nothing = np.zeros(0)
    return None if layers is None else [Difference(one, 0, (), nothing, nothing) for one in layers]


class Made:
    """A model whose reference gives zeros, and a runtime that is ``off`` by so much on each of 8 samples."""

    def __init__(self, monkeypatch, layers, dtype="int8"):
        self.model, self.samples = _case(tiny_dense(dtype=dtype))
        (tensor,) = self.model.main.output_tensors
        self.zeros = np.zeros(tensor.shape, tensor.dtype)
        self.replayed, self.layers = None, layers

        def differing_pieces(model, samples, reference, candidate, tolerance):
            self.replayed = samples
            return _pieces(layers)

        monkeypatch.setattr(module, "differing_pieces", differing_pieces)

    def row(self, off, exact=False, **options):
        expected = [[self.zeros] for _ in self.samples]
        actual = [
            [(self.zeros + by).astype(self.zeros.dtype)]
            for by in (off if isinstance(off, list) else [off] * 8)
        ]
        reference = Reference(RUNNERS["tflm"] if exact and self.layers else LITERT, expected, ())
        runner = Runner("made", "Made", lambda: None, lambda *_: actual, exact=exact)
        found = compare_runtimes(self.model, self.samples, [runner], reference=reference, **options)
        return found.runtimes[1]


def _layer(operator, lsb, within=True):
    return LayerDifference(operator=operator, kind="ADD", tensor="t", max_lsb=lsb, within_tolerance=within)


@pytest.mark.parametrize(
    ("layers", "off", "options", "status", "reason"),
    [
        ([_layer(0, 1)], 16, {}, "rounding", "every operator alone is within rounding"),
        ([_layer(0, 1)], 17, {}, "broken", "every operator alone is close, but the outputs are far apart"),
        ([_layer(0, 1), _layer(1, 3, within=False)], 1, {}, "broken", "an operator alone is off by more"),
        ([_layer(0, 1)], 1, {"exact": True}, "broken", "it must give the reference's very bits"),
        ([], 1, {"exact": True}, "broken", "it must give the reference's very bits"),
        ([], 2, {}, "rounding", "no operator differs alone"),
        ([], 3, {}, "broken", "the outputs differ, and no operator differs alone"),
        ([], 3, {"tolerance_lsb": 3.0}, "rounding", "no operator differs alone"),
        (None, 10, {}, "rounding", "its operators could not be run alone"),
        (None, 11, {}, "broken", "the outputs differ, and its operators could not be run alone"),
        (None, 12, {"tolerance_lsb": 12.0}, "rounding", "its operators could not be run alone"),
    ],
)
def test_how_a_difference_of_integers_is_judged(monkeypatch, layers, off, options, status, reason):
    row = Made(monkeypatch, layers).row(off, **options)
    assert row.status == status
    assert row.reason.startswith(reason)
    assert row.ok == (status != "broken")
    assert (row.max_lsb, row.mean_lsb) == (off, off)


@pytest.mark.parametrize(
    ("off", "status", "reason"),
    [(9e-4, "rounding", "float rounding"), (1.1e-3, "broken", "the outputs differ, and no operator")],
)
def test_how_a_difference_of_floats_is_judged(monkeypatch, off, status, reason):
    made = Made(monkeypatch, [], dtype="float32")
    made.zeros = np.ones_like(made.zeros)
    row = made.row(off)
    assert row.status == status
    assert row.reason.startswith(reason)
    assert row.max_lsb is None


def test_the_four_samples_that_differ_most_are_looked_at_in_their_order(monkeypatch):
    made = Made(monkeypatch, [])
    made.row([1, 5, 0, 9, 3, 0, 7, 2])
    assert [next(i for i, one in enumerate(made.samples) if one is sample) for sample in made.replayed] == [
        1,
        3,
        4,
        6,
    ]


def test_nothing_is_looked_at_where_nothing_differs(monkeypatch):
    made = Made(monkeypatch, [_layer(0, 1)])
    row = made.row(0)
    assert (row.status, made.replayed, row.first_divergence, row.worst_layer) == (
        "identical",
        None,
        None,
        None,
    )


def test_the_first_operator_and_the_worst(monkeypatch):
    layers = [_layer(2, 1), _layer(4, 9), _layer(5, 3, within=False), _layer(7, 4, within=False)]
    row = Made(monkeypatch, layers).row(1)
    assert (row.first_divergence.operator, row.worst_layer.operator) == (2, 7)
    row = Made(monkeypatch, layers[:2]).row(1)
    assert (row.first_divergence.operator, row.worst_layer.operator) == (2, 4)
    floats = [layers[0], _layer(3, None).model_copy(update={"max_relative": 5.0})]
    assert Made(monkeypatch, floats).row(1).worst_layer.operator == 3


def test_classes_are_compared_where_there_are_any(monkeypatch):
    made = Made(monkeypatch, [])
    (tensor,) = made.model.main.output_tensors
    assert tensor.elements > 1
    # Below 0 and above: scores, not probabilities.
    made.zeros -= 20
    made.zeros[..., 0] = 1
    assert made.row(1).top1_agreement == 1.0
    turned = np.zeros((8, *made.zeros.shape), made.zeros.dtype)
    turned[:2, ..., 1] = 30
    assert made.row(list(turned)).top1_agreement == 0.75


def test_the_reference_is_not_run_again_nor_what_was_passed_over(monkeypatch):
    made = Made(monkeypatch, [])

    def never(*_):
        raise AssertionError("it ran")

    gone = Runner("gone", "Gone", never, never)
    known = RuntimeParity(runtime="gone", title="Gone", status="unavailable", reason="install it")
    reference = Reference(replace(LITERT, run=never), [[made.zeros]] * 8, (known,))
    found = compare_runtimes(made.model, made.samples, [LITERT, gone], reference=reference)
    assert [row.status for row in found.runtimes] == ["reference", "unavailable"]
    assert (found.ok, found.samples, found.reference, found.tolerance_lsb) == (True, 8, LITERT.name, 2.0)
    found = compare_runtimes(made.model, made.samples, [gone], reference=reference, required=True)
    assert not found.ok
    assert not found.runtimes[1].ok


class Nudged:
    """A float model whose reference moves by ``noise`` of its largest value when its inputs are nudged."""

    def __init__(self, monkeypatch, noise, layers=()):
        graph = GraphBuilder()
        x = graph.input((1, 4), "float32")
        self.model = parse_tflite(graph.build([graph.unary("ABS", x)]))
        self.samples = [[np.float32([[1, 2, 3, 4]])] for _ in range(3)]

        def run(model, samples, *, carry_state=None):
            moved = samples[0][0][0, 0] != 1
            return [[np.float32([[1, 1, 1, 1 + noise * moved]])] for _ in samples]

        monkeypatch.setattr(module, "differing_pieces", lambda *_: _pieces(layers))
        self.reference = Runner("litert-reference", "Reference", lambda: None, run)

    def row(self, off):
        given = [[np.float32([[1, 1, 1, 1 + off]])] for _ in self.samples]
        other = Runner("other", "Other", lambda: None, lambda *_: given)
        outputs = self.reference.run(self.model, self.samples)
        reference = Reference(self.reference, outputs, ())
        return compare_runtimes(self.model, self.samples, [other], reference=reference).runtimes[1]


@pytest.mark.parametrize(
    ("noise", "off", "status"),
    [(0.04, 0.1, "rounding"), (0.04, 0.2, "broken"), (0, 0.01, "broken"), (0, 0.0005, "rounding")],
)
def test_a_float_difference_is_measured_by_what_next_to_nothing_does(monkeypatch, noise, off, status):
    row = Nudged(monkeypatch, noise).row(off)
    assert row.status == status
    if noise:
        assert "inputs times 1 + 1e-06 move the reference's" in row.reason
        assert "4.0e-02" in row.reason


def test_an_operator_that_is_wrong_alone_is_not_excused_by_noise(monkeypatch):
    wrong = LayerDifference(operator=0, kind="ABS", tensor="t", max_relative=0.1, within_tolerance=False)
    assert Nudged(monkeypatch, 0.5, [wrong]).row(0.1).status == "broken"


def test_an_exact_runtime_is_exact_to_one_runtime_only(monkeypatch):
    model, samples = _case(tiny_dense())
    outputs = litert.run_builtin(model, samples)
    off = [[(row[0] ^ 1)] for row in outputs]
    native = Runner("c", "C", lambda: None, lambda *_: off, exact=True)
    monkeypatch.setattr(module, "differing_pieces", lambda *_: _pieces([_layer(0, 1)]))
    monkeypatch.setattr(module, "_operator_by_operator", lambda model, pieces, *judged: judged)
    for name, status in (("tflm", "broken"), ("litert-builtin", "rounding")):
        reference = Reference(RUNNERS[name], outputs, ())
        assert compare_runtimes(model, samples, [native], reference=reference).runtimes[1].status == status


def test_beside_another_reference_it_is_exact_operator_by_operator(monkeypatch):
    model, samples = _case(tiny_cnn())
    native = replace(_with_bias_off_by(1, 0), exact=True)
    has_not = _refusing(UnsupportedModelError("lacks it"))
    not_here = replace(LITERT, available=lambda: "not on this machine")
    same = (_with_bias_off_by(1, 0), "rounding", "very bits")
    within = (has_not, "rounding", "within rounding")
    unknown = (not_here, "rounding", "within rounding")
    for right, status, reason in (same, (LITERT, "broken", "very bits"), within, unknown):
        monkeypatch.setattr(module, "RUNNERS", {module.EXACT: right})
        _, row = _only(model, samples, native)
        assert (row.status, reason in row.reason) == (status, True)
    monkeypatch.setattr(module, "RUNNERS", {module.EXACT: has_not})
    assert _only(model, samples, replace(_with_bias_off_by(6, 0), exact=True))[1].status == "broken"
