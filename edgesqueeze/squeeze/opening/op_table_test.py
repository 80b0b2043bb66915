"""Every row of the table against Keras itself, on random values."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from edgesqueeze.squeeze.opening.op_table import OPS, keras_function, op_name

SEEDS = (1, 2)
TOLERANCE = 1e-5


class Call:
    """One way to call an operation: each positional argument makes its value from a random generator."""

    def __init__(self, *args, **kwargs):
        self.args, self.kwargs = args, kwargs

    def values(self, seed):
        rng = np.random.default_rng(seed)
        return [_made(arg, rng) for arg in self.args]


def _made(arg, rng):
    if isinstance(arg, list):
        return [_made(item, rng) for item in arg]
    return arg(rng) if callable(arg) else arg


def real(*shape):
    """Values on both sides of zero, some of them beyond the corners that activations have."""
    return lambda rng: rng.normal(0, 2.5, shape).astype(np.float32)


def within(low, high, *shape):
    return lambda rng: rng.uniform(low, high, shape).astype(np.float32)


def whole(*shape, low=-5, high=6, dtype="int32"):
    return lambda rng: rng.integers(low, high, shape).astype(dtype)


def positive(*shape):
    return within(0.1, 5, *shape)


def truth(*shape):
    return lambda rng: rng.integers(0, 2, shape).astype(bool)


def ties(*shape):
    """Halves and whole numbers: where rounding and comparing are decided."""
    return lambda rng: (rng.integers(-4, 5, shape) / 2).astype(np.float32)


X = real(2, 3, 4)
IMAGE = real(2, 4, 6, 4)
ONE = [Call(X)]
REAL_OR_WHOLE = [Call(X), Call(whole(2, 3))]
TWO = [
    Call(X, real(2, 3, 4)),
    Call(X, real(4)),
    Call(X, whole(2, 3, 4)),
    Call(whole(3), whole(3)),
    Call(whole(3, dtype="int16"), whole(3)),
    Call(X, 2.5),
    Call(1.5, X),
    Call(whole(3), 1.5),
    Call(whole(3), 2),
]
NOT_ZERO = [
    Call(X, positive(2, 3, 4)),
    Call(X, -1.5),
    Call(2.0, positive(3)),
    Call(whole(9), whole(9, low=1)),
    Call(whole(9), -3),
    Call(positive(3), whole(3, low=1)),
]
COMPARED = [*TWO, Call(ties(40), ties(40))]
LOGICAL = [Call(truth(9), truth(9)), Call(ties(9), ties(9)), Call(truth(9), whole(9, low=0, high=2))]
REDUCED = [
    Call(X),
    Call(X, axis=1),
    Call(X, axis=-1, keepdims=True),
    Call(X, axis=(0, 2)),
    Call(X, axis=[1, 2], keepdims=True),
]
SOUGHT = [Call(X), Call(X, axis=1), Call(X, axis=-1, keepdims=True), Call(whole(3, 4), axis=0)]
POOLED = [
    Call(IMAGE, 2),
    Call(IMAGE, (3, 2), strides=1),
    Call(IMAGE, 3, strides=(2, 1), padding="same"),
    Call(real(2, 7, 3), 2, strides=2, padding="same"),
]

CASES = {
    # one tensor
    "abs": REAL_OR_WHOLE,
    "negative": REAL_OR_WHOLE,
    "sign": REAL_OR_WHOLE,
    "square": REAL_OR_WHOLE,
    "relu": ONE,
    "relu6": [Call(within(-3, 9, 40))],
    "logical_not": [Call(truth(9)), Call(ties(9))],
    "stop_gradient": ONE,
    "copy": REAL_OR_WHOLE,
    "cast": [Call(X, "int32"), Call(whole(4), "float32"), Call(ties(9), "bool")],
    "convert_to_tensor": [*REAL_OR_WHOLE, Call(truth(9)), Call(whole(4), "float32")],
    "round": [Call(X), Call(ties(40)), Call(X, decimals=0)],
    "reciprocal": [Call(positive(9))],
    "ceil": [Call(X), Call(ties(40)), Call(whole(4))],
    "floor": [Call(X), Call(ties(40)), Call(whole(4))],
    "sqrt": [Call(positive(9)), Call(whole(9, low=0))],
    "rsqrt": [Call(positive(9))],
    "exp": REAL_OR_WHOLE,
    "expm1": [Call(X), Call(within(-1e-3, 1e-3, 9))],
    "log": [Call(positive(9)), Call(whole(9, low=1))],
    "log1p": [Call(positive(9)), Call(within(-1e-3, 1e-3, 9)), Call(whole(9, low=0))],
    "log2": [Call(positive(9)), Call(whole(9, low=1))],
    "log10": [Call(positive(9)), Call(whole(9, low=1))],
    "sin": REAL_OR_WHOLE,
    "cos": REAL_OR_WHOLE,
    "tan": [Call(within(-1, 1, 9))],
    "arctan": REAL_OR_WHOLE,
    "tanh": REAL_OR_WHOLE,
    "sinh": [Call(within(-2, 2, 9))],
    "cosh": [Call(within(-2, 2, 9))],
    "erf": ONE,
    "sigmoid": ONE,
    "softplus": ONE,
    "softsign": ONE,
    "silu": ONE,
    "selu": ONE,
    "elu": [Call(X), Call(X, alpha=0.3)],
    "gelu": [Call(X), Call(X, approximate=False), Call(X, approximate=True)],
    "softmax": [Call(X), Call(X, axis=1)],
    "celu": [Call(X), Call(X, alpha=0.3)],
    "glu": [Call(X), Call(real(4, 3), axis=0)],
    "hard_shrink": [Call(X), Call(X, threshold=1.5)],
    "hard_sigmoid": [Call(X), Call(within(-4, 4, 40))],
    "hard_silu": [Call(X), Call(within(-4, 4, 40))],
    "hard_tanh": ONE,
    "leaky_relu": [Call(X), Call(X, negative_slope=0.3)],
    "log_sigmoid": [Call(X), Call(within(-200, 200, 9))],
    "log_softmax": [Call(X), Call(X, axis=1)],
    "soft_shrink": [Call(X), Call(X, threshold=1.5)],
    "sparse_plus": [Call(X), Call(within(-2, 2, 40))],
    "sparse_sigmoid": [Call(X), Call(within(-2, 2, 40))],
    "squareplus": [Call(X), Call(X, b=2)],
    "tanh_shrink": ONE,
    "threshold": [Call(X, 0.5, -1.0), Call(ties(40), 0.5, 0.25)],
    # two tensors
    "add": TWO,
    "subtract": TWO,
    "multiply": TWO,
    "divide": NOT_ZERO,
    "floor_divide": NOT_ZERO,
    "mod": NOT_ZERO,
    "power": [Call(positive(9), within(-2, 2, 9)), Call(X, 2), Call(X, 3.0), Call(whole(9), 2)],
    "maximum": TWO,
    "minimum": TWO,
    "arctan2": [Call(X, real(2, 3, 4)), Call(X, 1.5)],
    "equal": COMPARED,
    "not_equal": COMPARED,
    "greater": COMPARED,
    "greater_equal": COMPARED,
    "less": COMPARED,
    "less_equal": COMPARED,
    "logical_and": LOGICAL,
    "logical_or": LOGICAL,
    "matmul": [Call(X, real(4, 5)), Call(X, real(2, 4, 3)), Call(X, real(4))],
    "einsum": [
        Call(X, real(4, 5), subscripts="bij,jk->bik"),
        Call(X, real(2, 3), subscripts="bij,bi->bj"),
        Call(X, subscripts="bij->bji"),
    ],
    "where": [
        Call(truth(2, 3, 4), X, real(2, 3, 4)),
        Call(truth(4), X, 0.5),
        Call(ties(9), real(9), whole(9)),
    ],
    # along axes
    "sum": [*REDUCED, Call(whole(3, 4), axis=0)],
    "mean": [*REDUCED, Call(whole(3, 4), axis=0), Call(truth(3, 4))],
    "prod": [*REDUCED, Call(whole(3, 4), axis=0)],
    "max": [*REDUCED, Call(whole(3, 4), axis=0)],
    "min": [*REDUCED, Call(whole(3, 4), axis=0)],
    "var": REDUCED,
    "std": REDUCED,
    "any": [Call(truth(3, 4)), Call(truth(3, 4), axis=1), Call(ties(3, 4), axis=0, keepdims=True)],
    "all": [Call(truth(3, 2)), Call(truth(9, 2), axis=1), Call(ties(9, 2), axis=1, keepdims=True)],
    "argmax": SOUGHT,
    "argmin": SOUGHT,
    "logsumexp": REDUCED,
    "cumsum": [Call(X, axis=1), Call(X, axis=-1), Call(whole(3, 4), axis=0), Call(X, axis=1, dtype="int32")],
    "normalize": [Call(X), Call(X, axis=1), Call(within(-1e-4, 1e-4, 2, 3), epsilon=1e-3)],
    # shapes
    "reshape": [Call(X, (4, 6)), Call(X, (-1, 2)), Call(X, (2, -1, 2)), Call(X, 24), Call(X, [3, 8])],
    "squeeze": [Call(real(2, 1, 3, 1)), Call(real(2, 1, 3, 1), axis=1), Call(real(2, 1, 3, 1), axis=(1, -1))],
    "expand_dims": [Call(X, 0), Call(X, axis=-1), Call(X, axis=1)],
    "transpose": [Call(X), Call(X, axes=(1, 2, 0)), Call(X, axes=[0, 2, 1])],
    "swapaxes": [Call(X, 0, 2), Call(X, axis1=-1, axis2=1)],
    "moveaxis": [Call(X, 0, 2), Call(X, source=-1, destination=0), Call(IMAGE, (0, 3), (-1, 1))],
    "flip": [Call(X), Call(X, axis=1), Call(X, axis=(0, -1))],
    "roll": [Call(X, 1, axis=1), Call(X, shift=-2, axis=-1)],
    "tile": [Call(X, (1, 2, 3)), Call(X, [2, 1, 1])],
    "repeat": [Call(X, 2), Call(X, 3, axis=1), Call(X, (1, 0, 2), axis=1)],
    "broadcast_to": [Call(real(3, 1), (2, 3, 4))],
    "concatenate": [Call([X, real(1, 3, 4)]), Call([X, real(2, 3, 2), X], axis=-1), Call([X, X], axis=1)],
    "stack": [Call([X, X]), Call([X, X, X], axis=-1), Call([X, X], axis=1)],
    "unstack": [Call(X), Call(X, axis=-1), Call(X, num=3, axis=1)],
    "split": [Call(X, 2), Call(X, 2, axis=-1), Call(X, (1, 3), axis=-1), Call(X, [1], axis=1)],
    "pad": [
        Call(X, ((0, 0), (1, 2), (0, 3))),
        Call(X, [[1, 0], [0, 1], [2, 2]], constant_values=1.5),
        Call(X, [(1, 1), (2, 2), (0, 1)], mode="reflect"),
        Call(X, ((1, 1), (0, 2), (1, 0)), mode="symmetric"),
    ],
    "get_item": [
        Call(X, 1),
        Call(X, (slice(None), slice(0, 3, 2))),
        Call(X, (Ellipsis, slice(1, None), None)),
        Call(X, (0, slice(None, None, -1), -1)),
    ],
    "take": [
        Call(X, whole(5, low=0, high=24)),
        Call(X, whole(2, 2, low=0, high=3), axis=1),
        Call(X, [3, 0], axis=-1),
    ],
    "one_hot": [
        Call(whole(5, low=0, high=4), 4),
        Call(whole(2, 3, low=-1, high=5), 4, axis=1),
        Call(whole(5, low=0, high=4), num_classes=4, dtype="int32"),
    ],
    "zeros_like": [*REAL_OR_WHOLE, Call(X, dtype="int32")],
    "ones_like": [*REAL_OR_WHOLE, Call(X, dtype="int32")],
    "clip": [Call(X, -0.5, 1.5), Call(whole(9), -2, 3)],
    # images
    "resize": [
        Call(IMAGE, (3, 5)),
        Call(IMAGE, (7, 9), interpolation="nearest"),
        Call(IMAGE, (3, 3), interpolation="bilinear", antialias=True),
        Call(IMAGE, (9, 4), interpolation="bicubic", crop_to_aspect_ratio=False),
    ],
    "max_pool": POOLED,
    "average_pool": POOLED,
    "depth_to_space": [Call(IMAGE, 2), Call(IMAGE, block_size=2, data_format="channels_last")],
    "space_to_depth": [Call(IMAGE, 2), Call(IMAGE, block_size=2, data_format="channels_last")],
}


def test_every_row_has_cases():
    assert set(CASES) == set(OPS)


@pytest.mark.parametrize("name", CASES)
def test_row_computes_what_keras_does(name):
    for call in CASES[name]:
        for seed in SEEDS:
            values = call.values(seed)
            expected = keras_function(name)(*values, **call.kwargs)
            where = f"{name} {call.kwargs}, seed {seed}"
            _require_same(OPS[name].tf(*_tensors(values), **call.kwargs), expected, where)
            _require_same(_as_recorded(name, values, call.kwargs), expected, f"{where}, as recorded")


def _tensors(value):
    """Arrays as the tensors that an operation gets in a model."""
    if isinstance(value, list):
        return [_tensors(item) for item in value]
    return tf.constant(value) if isinstance(value, np.ndarray) else value


def _as_recorded(name, values, settings):
    """The row with the arguments that Keras records when the operation stands in a model."""
    fed = {}

    def symbol(value):
        if isinstance(value, list):
            return [symbol(item) for item in value]
        if not isinstance(value, np.ndarray):
            return value
        made = keras.KerasTensor(value.shape, str(value.dtype))
        fed[id(made)] = tf.constant(value)
        return made

    symbols = [symbol(value) for value in values]
    outputs = tf.nest.flatten(keras_function(name)(*symbols, **settings))
    operation = outputs[0]._keras_history.operation
    assert op_name(operation) == name
    args, kwargs = operation._inbound_nodes[-1].arguments.fill_in(fed)
    own = {key: value for key, value in operation.get_config().items() if key != "name"}
    return OPS[name].tf(*args, **{**own, **kwargs})


def _require_same(found, expected, where):
    found, expected = tf.nest.flatten(found), tf.nest.flatten(expected)
    assert len(found) == len(expected), where
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == other.dtype, where
        np.testing.assert_allclose(
            np.asarray(one), np.asarray(other), rtol=TOLERANCE, atol=TOLERANCE, err_msg=where
        )


REFUSED = [
    ("max", Call(X, axis=1, initial=0.0), "initial"),
    ("min", Call(X, axis=1, initial=0.0), "initial"),
    ("argmax", Call(X, keepdims=True), "keepdims without an axis"),
    ("round", Call(X, decimals=1), "decimals"),
    ("normalize", Call(X, order=1), "order 2"),
    ("max_pool", Call(IMAGE, 2, data_format="channels_first"), "channels_first"),
    ("average_pool", Call(IMAGE, 2, data_format="channels_first"), "channels_first"),
    ("depth_to_space", Call(IMAGE, 2, data_format="channels_first"), "channels_first"),
    ("space_to_depth", Call(IMAGE, 2, data_format="channels_first"), "channels_first"),
    ("resize", Call(IMAGE, (3, 5), crop_to_aspect_ratio=True), "aspect ratio"),
    ("resize", Call(IMAGE, (3, 5), pad_to_aspect_ratio=True), "aspect ratio"),
    ("one_hot", Call(whole(3), 4, sparse=True), "a sparse result"),
]


@pytest.mark.parametrize(("name", "call", "what"), REFUSED)
def test_settings_without_an_implementation_are_refused(name, call, what):
    with pytest.raises(ValueError, match=what):
        OPS[name].tf(*_tensors(call.values(1)), **call.kwargs)
