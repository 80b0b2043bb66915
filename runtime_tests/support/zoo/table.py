"""The table: a row for each small model, and what the command line must make of it.

Nothing here imports TensorFlow: builders are named, and imported where a model is made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Expected = Literal["good", "not-ok", "refused"]

LIFTED = ("--lift-normalization",)
NEEDS_LINUX = "rpi4"
"""For operators that no runtime for microcontrollers has."""


@dataclass(frozen=True)
class Case:
    """A row.

    Attributes:
        name: what the row is called.
        make: ``module:function`` in this package that builds and trains the model.
        expected: ``good``: converted, at most ``limit`` worse than the original, right on every runtime.
            ``not-ok``: exit status 1, with ``says`` in the message. ``refused``: no model, exit status 1 or
            2, with ``says`` in the message.
        says: what the message must contain.
        options: options of ``compress``.
        opening: options of every command that opens the original.
        limit: how much worse the result may be: a share, of accuracy, of overlap or of the truth's spread.
        target: the device.
        quick: whether the test suite has this row.
    """

    name: str
    make: str
    expected: Expected = "good"
    says: str = ""
    options: tuple[str, ...] = ()
    opening: tuple[str, ...] = ()
    limit: float = 0.01
    target: str = "nucleo-l4r5zi"
    quick: bool = False


CUSTOM = ("--custom-objects", "runtime_tests.support.zoo.exported:Subclassed")

CASES = (
    # Recurrent networks.
    Case("conv1d-bn-lstm, .h5", "sequences:lstm_conv"),
    Case("gru", "sequences:gru", quick=True),
    Case("gru, dynamic range", "sequences:gru", options=("--quantize", "dynamic")),
    Case("gru, float16", "sequences:gru", options=("--quantize", "float16"), target=NEEDS_LINUX),
    Case("simple rnn", "sequences:simple_rnn"),
    Case("lstm, masked", "sequences:masked_lstm"),
    Case("gru, masked", "sequences:masked_gru"),
    Case("embedding with mask, lstm", "sequences:embedded_lstm"),
    Case("lstm of two layers", "sequences:stacked_lstm"),
    Case("lstm, bidirectional", "sequences:bidirectional_lstm"),
    Case("gru, bidirectional, summed", "sequences:bidirectional_gru"),
    Case("lstm, a class each step", "sequences:each_step"),
    Case("lstm over a cnn each frame", "sequences:films_cnn"),
    Case("lstm with returned state", "sequences:returned_state"),
    # Its state leaves in eight bits: a step of them is a percent of its spread, and the hint says what helps.
    Case("gru of one step, state in and out", "sequences:one_step_gru", "not-ok", "int16x8", limit=0.02),
    Case(
        "gru of one step, int16x8",
        "sequences:one_step_gru",
        options=("--quantize", "int16x8"),
        limit=0.02,
    ),
    Case("lstm, stateful", "sequences:stateful_lstm"),
    Case("lstm, tf_keras .h5", "sequences:old_lstm"),
    # Other networks for sequences.
    Case("dilated tcn", "sequences:dilated_tcn"),
    Case("transformer", "sequences:transformer"),
    Case("embedding, mean", "sequences:embedded_mean", quick=True),
    # Rows of numbers.
    Case("regression", "vectors:regression", limit=0.02, quick=True),
    Case(
        "sensors, normalization inside",
        "vectors:normalized_sensors",
        "not-ok",
        "--lift-normalization",
        limit=0.02,
    ),
    Case("sensors, normalization lifted", "vectors:normalized_sensors", options=LIFTED, limit=0.02),
    Case("two outputs, class and value", "vectors:several_outputs", limit=0.02),
    Case("embeddings of users and items", "vectors:recommender", limit=0.02),
    Case("numbers and an id", "vectors:wide_and_deep"),
    Case("constant output", "vectors:constant_output", "not-ok", "the same on all", quick=True),
    # Images.
    Case("cnn", "images:cnn"),
    Case("mlp", "images:mlp"),
    Case("depthwise separable cnn", "images:depthwise_separable"),
    Case("inverted residuals, nested", "images:inverted_residual"),
    Case("squeeze and excite", "images:squeeze_and_excite"),
    Case("batch norm in odd places", "images:odd_batch_norm"),
    Case("pooling, padding, cropping, upsampling", "images:pools"),
    Case("prelu", "images:prelu"),
    Case("gelu", "images:gelu", target=NEEDS_LINUX),
    Case("swish", "images:swish"),
    Case("layer normalization", "images:layer_normalization"),
    Case("group normalization", "images:group_normalization"),
    Case("augmentation layers", "images:augmentation"),
    Case("mixed_float16", "images:mixed_float16"),
    Case("argmax inside", "images:argmax_inside"),
    Case("conv3d", "images:conv3d", options=("--quantize", "float16"), target=NEEDS_LINUX),
    Case("conv3d, int8", "images:conv3d", "refused", "--quantize", target=NEEDS_LINUX),
    Case("u-net", "images:unet"),
    Case("mask by transposed convolutions", "images:mask"),
    Case("detection, one box and scores", "images:detection", limit=0.02),
    Case("detection, boxes and scores of a grid", "images:anchors", limit=0.02),
    Case("multi-label", "images:multi_label"),
    Case("siamese", "images:siamese"),
    Case("autoencoder, no labels", "images:autoencoder", limit=0.02),
    Case("lambda", "images:with_lambda", "refused", "--unsafe"),
    Case("lambda, allowed", "images:with_lambda", opening=("--unsafe",)),
    Case("cnn, tf_keras .h5", "images:old_file"),
    Case("cnn, tf_keras SavedModel", "images:old_folder"),
    # Not graphs of layers.
    Case("cnn, model.export()", "exported:exported"),
    Case("subclassed, .keras", "exported:subclassed", opening=CUSTOM),
    Case("subclassed, model.export()", "exported:exported_subclassed"),
)
"""Every row."""
