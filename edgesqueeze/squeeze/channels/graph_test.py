import numpy as np
import pytest
import tf_keras

from edgesqueeze.squeeze.channels.graph import channel_graph
from edgesqueeze.squeeze.channels.labels import FIXED, Labels

layers = tf_keras.layers


def graph_of(make, shape=(8, 8, 3), **options):
    """The channels of a model in which ``make`` stands behind a convolution called ``first``."""
    image = layers.Input(shape)
    kind = layers.Conv2D if len(shape) == 3 else layers.Conv1D
    x = make(kind(8, 3, padding="same", name="first")(image))
    x = x if len(x.shape) == 2 else layers.Flatten()(x)
    return channel_graph(tf_keras.Model(image, layers.Dense(2, name="last")(x)), **options)


HELD = {
    "layer norm of rows": lambda x: layers.LayerNormalization(axis=1)(x),
    "group norm": lambda x: layers.GroupNormalization(4)(x),
    "softmax": lambda x: layers.Softmax()(x),
    "softmax as an activation": lambda x: layers.Activation("softmax")(x),
    "grouped convolution": lambda x: layers.Conv2D(8, 3, groups=2)(x),
    "lambda": lambda x: layers.Lambda(lambda y: y * 2)(x),
    "permute": lambda x: layers.Permute((3, 1, 2))(x),
    "reshape": lambda x: layers.Reshape((8, 16, 4))(x),
    "batch norm of rows": lambda x: layers.BatchNormalization(axis=1)(x),
    "attention": lambda x: layers.MultiHeadAttention(2, 4)(x, x),
    "one for all": lambda x: layers.Multiply()([layers.Conv2D(4, 1)(x), layers.Dense(1, name="first_")(x)]),
    "time distributed": lambda x: layers.TimeDistributed(layers.Dense(4))(x),
}


@pytest.mark.parametrize("name", [name for name in HELD if name != "one for all"])
def test_what_is_not_known_holds_its_channels(name):
    graph = graph_of(HELD[name])
    assert (graph.roles["first"].makes == FIXED).all()
    assert graph.held["first"]


@pytest.mark.parametrize("kind", [layers.LSTM, layers.GRU, layers.SimpleRNN, layers.SeparableConv1D])
def test_recurrent_layers_hold_their_channels(kind):
    options = (4,) if kind is not layers.SeparableConv1D else (4, 3)
    graph = graph_of(lambda x: kind(*options, name="rnn")(x), (8, 3))
    assert (graph.roles["first"].makes == FIXED).all()
    assert "'rnn'" in graph.held["first"]
    assert kind.__name__ in graph.held["first"]


def test_a_subclass_of_a_known_layer_is_not_known():
    class Reversed(layers.ReLU):
        def call(self, x):
            return x[..., ::-1]

    assert "Reversed" in graph_of(lambda x: Reversed()(x)).held["first"]


def test_a_single_channel_for_all_others_stays():
    graph = graph_of(HELD["one for all"])
    assert graph.roles["first_"].makes.tolist() == [FIXED]
    assert (graph.roles["first"].makes != FIXED).all()


def test_outputs_and_inputs_stay():
    graph = graph_of(lambda x: x)
    assert graph.held == {"last": "they are an output of the model"}
    assert (graph.roles["first"].reads == FIXED).all()
    assert (graph.roles["last"].makes == FIXED).all()


def test_layers_that_the_recipe_leaves_out_stay_with_all_that_is_added_to_them():
    def added(x):
        return layers.Add()([x, layers.Conv2D(8, 1, name="second")(layers.Conv2D(4, 1, name="third")(x))])

    graph = graph_of(added, kept_out={"first": "so it was said"})
    assert graph.held["first"] == graph.held["second"] == "so it was said"
    assert (graph.roles["third"].makes != FIXED).all()


def test_channels_behind_flatten():
    graph = graph_of(lambda x: x)
    made, read = graph.roles["first"].makes, graph.roles["last"].reads
    assert read.size == 64 * 8
    np.testing.assert_array_equal(read.reshape(64, 8), np.tile(made, (64, 1)))


def test_summands_go_together():
    graph = graph_of(lambda x: layers.Add()([x, layers.Conv2D(8, 1, name="second")(x)]))
    np.testing.assert_array_equal(graph.roles["first"].makes, graph.roles["second"].makes)
    assert graph.count == 8


def test_parts_of_a_concatenation_go_alone():
    graph = graph_of(lambda x: layers.Concatenate()([x, layers.Conv2D(4, 1, name="second")(x)]))
    assert graph.count == 12
    assert not set(graph.roles["first"].makes) & set(graph.roles["second"].makes)


def test_macs():
    graph = graph_of(lambda x: layers.DepthwiseConv2D(3)(x))
    assert graph.macs() == 64 * 27 * 8 + 36 * 9 * 8 + 36 * 8 * 2


def test_merged_labels_keep_that_they_are_held():
    labels = Labels()
    one, other, third = labels.fresh(2), labels.fresh(2, "held"), labels.fresh(2)
    labels.same(third, other)
    labels.same(one, third)
    assert labels.units().tolist() == [FIXED] * 6
    assert labels.reason(one) == "held"
