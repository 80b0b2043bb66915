import numpy as np
import pytest
import tf_keras

from edgesqueeze.errors import UnsupportedModelError
from edgesqueeze.squeeze.layers.unroll import Gate, Unrolled, unrolled

layers = tf_keras.layers
STEPS, FEATURES, UNITS = 7, 4, 6
CELLS = {"GRU": layers.GRU, "LSTM": layers.LSTM, "SimpleRNN": layers.SimpleRNN}
OPTIONS = [
    {},
    {"return_sequences": True},
    {"return_state": True},
    {"go_backwards": True, "return_sequences": True},
    {"use_bias": False},
    {"activation": "relu"},
]


def _values(*shape, seed=0):
    return np.random.default_rng(seed).normal(0, 1, shape).astype(np.float32)


def _sequences(masked, value=0.0):
    """Five sequences; padded behind, before and in the middle where they are masked."""
    x = _values(5, STEPS, FEATURES)
    if masked:
        x[0, 5:] = x[1, :3] = x[2, 4] = value
        x[3] = value
    return x


def _model(output, *inputs):
    model = tf_keras.Model(list(inputs) if len(inputs) > 1 else inputs[0], output)
    for index, layer in enumerate(model.layers):
        if layer.weights:
            layer.set_weights([0.5 * _values(*one.shape, seed=index) for one in layer.get_weights()])
    return model


def _agrees(model, x, loops=1):
    flat = unrolled(model)
    assert sum(isinstance(layer, Unrolled) for layer in flat.layers) == loops
    assert flat.output_names == model.output_names
    wanted, found = model(x), flat(x)
    if not isinstance(wanted, list):
        wanted, found = [wanted], [found]
    for want, have in zip(wanted, found, strict=True):
        np.testing.assert_allclose(have, want, atol=2e-6)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_computes_the_same(cell, options, masked):
    x = tf_keras.Input((STEPS, FEATURES))
    inner = layers.Masking()(x) if masked else x
    # The converter has an operator for an LSTM without a mask.
    plain = not {"return_state", "use_bias", "activation"} & set(options)
    loops = 0 if cell == "LSTM" and not masked and plain else 1
    _agrees(_model(CELLS[cell](UNITS, **options)(inner), x), _sequences(masked), loops)


def test_a_gru_whose_reset_gate_comes_first():
    x = tf_keras.Input((STEPS, FEATURES))
    _agrees(_model(layers.GRU(UNITS, reset_after=False)(x), x), _sequences(masked=False))


@pytest.mark.parametrize("merge", ["concat", "sum", "ave", "mul"])
def test_both_directions(merge):
    x = tf_keras.Input((STEPS, FEATURES))
    inner = layers.Bidirectional(layers.GRU(UNITS, return_sequences=True), merge_mode=merge)(
        layers.Masking()(x)
    )
    _agrees(_model(inner, x), _sequences(masked=True))


def test_states_of_both_directions():
    x = tf_keras.Input((STEPS, FEATURES))
    _agrees(_model(layers.Bidirectional(layers.GRU(UNITS, return_state=True))(x), x), _sequences(False))


def test_a_mask_value_other_than_zero():
    x = tf_keras.Input((STEPS, FEATURES))
    model = _model(layers.LSTM(UNITS)(layers.Masking(-2.0)(x)), x)
    _agrees(model, _sequences(masked=True, value=-2.0))


def test_a_mask_goes_through_what_is_in_between():
    x = tf_keras.Input((STEPS, FEATURES))
    inner = layers.GRU(UNITS, return_sequences=True)(layers.Masking()(x))
    _agrees(_model(layers.LSTM(UNITS)(layers.Dropout(0.1)(inner)), x), _sequences(masked=True), loops=2)


def test_token_ids_with_padding():
    ids = tf_keras.Input((STEPS,), dtype="int32")
    model = _model(layers.LSTM(UNITS)(layers.Embedding(9, FEATURES, mask_zero=True)(ids)), ids)
    _agrees(model, np.array([[3, 1, 8, 2, 0, 0, 0], [4, 4, 4, 4, 4, 4, 4], [0, 0, 0, 0, 0, 0, 0]], np.int32))


def test_one_step_with_its_state_as_input_and_output():
    x, state = tf_keras.Input((1, FEATURES)), tf_keras.Input((UNITS,))
    model = _model(layers.GRU(UNITS, return_state=True)(x, initial_state=state), x, state)
    _agrees(model, [_values(3, 1, FEATURES), _values(3, UNITS)])


def _stack(**options):
    cells = [layers.LSTMCell(UNITS), layers.GRUCell(5), layers.SimpleRNNCell(4)]
    return layers.RNN(cells, **options)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("options", [{}, {"return_sequences": True, "go_backwards": True}], ids=str)
def test_cells_one_on_the_other(options, masked):
    x = tf_keras.Input((STEPS, FEATURES))
    inner = layers.Masking()(x) if masked else x
    _agrees(_model(_stack(**options)(inner), x), _sequences(masked))


def test_cells_in_both_directions():
    x = tf_keras.Input((STEPS, FEATURES))
    _agrees(_model(layers.Bidirectional(_stack(return_sequences=True))(x), x), _sequences(False))


def test_a_stack_of_cells_remembers():
    x = tf_keras.Input((STEPS, FEATURES), batch_size=1)
    model = _model(_stack(stateful=True)(x), x)
    flat = unrolled(model)
    model.reset_states()
    for seed in (0, 1):
        np.testing.assert_allclose(
            flat(_values(1, STEPS, FEATURES, seed=seed)),
            model(_values(1, STEPS, FEATURES, seed=seed)),
            atol=2e-6,
        )


@pytest.mark.parametrize(
    "options",
    [{"activation": "relu"}, {"use_bias": False}, {"recurrent_dropout": 0.1}, {"unroll": True},
     {"recurrent_activation": "hard_sigmoid"}],
    ids=str,
)  # fmt: skip
def test_an_lstm_that_the_converter_does_not_know_is_written_out(options):
    x = tf_keras.Input((STEPS, FEATURES))
    _agrees(_model(layers.LSTM(UNITS, **options)(x), x), _sequences(False))


def test_without_operators_every_lstm_is_written_out():
    x = tf_keras.Input((STEPS, FEATURES))
    model = _model(layers.LSTM(UNITS)(x), x)
    assert unrolled(model) is model
    assert any(isinstance(layer, Unrolled) for layer in unrolled(model, operators=False).layers)


def test_a_model_without_loops_stays_as_it_is():
    x = tf_keras.Input((STEPS, FEATURES))
    model = _model(layers.LSTM(UNITS)(x), x)
    assert unrolled(model) is model


def test_masks_stay_truth_values_where_a_layer_reads_them_so():
    x = tf_keras.Input((STEPS, FEATURES))
    masked = layers.Masking()(x)
    attended = layers.Attention()([masked, masked])
    flat = unrolled(_model(layers.GRU(UNITS)(attended), x))
    assert not any(isinstance(layer, Gate) for layer in flat.layers)


@pytest.mark.parametrize("cell", CELLS)
def test_what_a_stateful_layer_remembers(cell):
    x = tf_keras.Input((STEPS, FEATURES), batch_size=1)
    model = _model(CELLS[cell](UNITS, stateful=True)(x), x)
    flat = unrolled(model)
    model.reset_states()
    pieces = [_values(1, STEPS, FEATURES, seed=seed) for seed in (0, 1, 0)]
    wanted, found = ([np.asarray(one(piece)) for piece in pieces] for one in (model, flat))
    np.testing.assert_allclose(found, wanted, atol=2e-6)
    assert np.abs(found[0] - found[2]).max() > 1e-3  # the same piece after another past
    assert any(isinstance(layer, Unrolled) for layer in flat.layers)


@pytest.mark.parametrize(
    ("shape", "make", "got"),
    [
        ((None, FEATURES), layers.GRU(UNITS), "any number"),
        ((STEPS, FEATURES), layers.Bidirectional(layers.GRU(UNITS, stateful=True)), "stateful Bidirectional"),
    ],
)
def test_what_cannot_be_written_out_is_an_error(shape, make, got):
    x = tf_keras.Input(shape, batch_size=1)
    with pytest.raises(UnsupportedModelError, match="written out") as caught:
        unrolled(_model(make(x), x))
    assert got in caught.value.got
    assert "dynamic" in caught.value.hint
