import pytest
import tf_keras

from edgesqueeze.errors import RecipeError
from edgesqueeze.recipe.sections import Prune
from edgesqueeze.squeeze.passes.selection import SMALL_SHARE, select
from runtime_tests.support.tiny_keras import conv2d

layers = tf_keras.layers


def _patterns(include=("*",), exclude=(), rule="auto"):
    return Prune(include=tuple(include), exclude=tuple(exclude), first_and_last=rule)


def _names(chosen):
    return {key.layer for key in chosen.keys}


def _funnel(last):
    """A small first layer, a large one, and a last one of a chosen size."""
    image = tf_keras.Input((8,), name="image")
    x = layers.Dense(4, name="first")(image)
    x = layers.Dense(400, name="large")(x)
    return tf_keras.Model(image, layers.Dense(last, name="last")(x))


@pytest.mark.parametrize(
    ("rule", "last", "names"),
    [
        ("auto", 4, {"large", "last"}),
        ("auto", 100, {"large", "last"}),
        ("include", 4, {"first", "large", "last"}),
        ("exclude", 100, {"large"}),
    ],
)
def test_first_and_last_layers(rule, last, names):
    chosen = select(_funnel(last), "prune", _patterns(rule=rule))
    assert _names(chosen) == names
    skipped = {one.subject: one for one in chosen.skipped}
    assert set(skipped) == {"first", "large", "last"} - names
    for name, finding in skipped.items():
        assert finding.code == "prune-skipped"
        assert f"the {name} layer" in finding.message


def test_auto_leaves_out_ends_below_the_share_and_says_how_large_they_are():
    model = _funnel(1)
    shares = {layer.name: layer.kernel.shape.num_elements() / 2032 for layer in model.layers[1:]}
    assert shares["first"] < SMALL_SHARE < shares["last"]
    (finding,) = select(model, "cluster", _patterns()).skipped
    assert (finding.code, finding.subject) == ("cluster-skipped", "first")
    assert "1.6%" in finding.message


def test_a_single_layer_is_never_left_out_for_being_first_and_last():
    image = tf_keras.Input((8,), name="image")
    model = tf_keras.Model(image, layers.Dense(4, name="only")(image))
    assert select(model, "prune", _patterns(rule="exclude")).keys == {("only", "kernel")}


@pytest.mark.parametrize(
    ("include", "exclude", "names"),
    [
        (["Conv2D"], [], {"first", "middle"}),
        (["*"], ["Dense", "fi?st"], {"middle"}),
        (["l*"], [], {"last"}),
        (["*"], ["*"], set()),
    ],
)
def test_patterns_match_names_and_classes(include, exclude, names):
    chosen = select(conv2d(), "prune", _patterns(include, exclude, "include"))
    assert _names(chosen) == names
    assert {one.subject for one in chosen.skipped} == {"first", "middle", "last"} - names


@pytest.mark.parametrize(("include", "exclude"), [(["Conv2d"], []), (["*"], ["frist"])])
def test_a_pattern_without_a_layer_is_an_error(include, exclude):
    with pytest.raises(RecipeError, match=r"did you mean '(Conv2D|first)'"):
        select(conv2d(), "prune", _patterns(include, exclude))


def test_a_layer_with_a_kernel_that_no_pass_supports_is_named():
    image = tf_keras.Input((6, 4, 4, 4), name="image")
    x = layers.GlobalAveragePooling3D()(layers.Conv3D(5, 2, name="volume")(image))
    chosen = select(tf_keras.Model(image, layers.Dense(3, name="last")(x)), "prune", _patterns())
    assert _names(chosen) == {"last"}
    assert [(one.subject, "Conv3D" in one.message) for one in chosen.skipped] == [("volume", True)]


@pytest.mark.parametrize("pattern", ["memory", "Bidirectional"])
def test_all_kernels_of_a_recurrent_layer_are_chosen_together(pattern):
    image = tf_keras.Input((6, 4), name="image")
    both = layers.Bidirectional(layers.LSTM(5, name="lstm"), name="memory")
    model = tf_keras.Model(image, layers.Dense(3, name="last")(both(image)))
    chosen = select(model, "prune", _patterns([pattern]))
    ways = ("forward_lstm", "backward_lstm")
    kinds = ("kernel", "recurrent_kernel")
    assert chosen.keys == {("memory", f"{way}/{kind}") for way in ways for kind in kinds}


def test_a_small_layer_at_the_end_is_measured_against_all_kernels():
    image = tf_keras.Input((6, 4), name="image")
    model = tf_keras.Model(image, layers.Dense(2, name="last")(layers.GRU(20, name="memory")(image)))
    chosen = select(model, "prune", _patterns())
    assert chosen.keys == {("memory", "kernel"), ("memory", "recurrent_kernel")}
    assert [one.subject for one in chosen.skipped] == ["last"]


def test_a_model_without_kernels_has_nothing_to_choose():
    image = tf_keras.Input((4,), name="image")
    chosen = select(tf_keras.Model(image, layers.ReLU()(image)), "prune", _patterns())
    assert not chosen.keys
    assert not chosen.skipped


def test_a_depthwise_kernel_is_called_by_its_own_variable():
    image = tf_keras.Input((8, 8, 3), name="image")
    model = tf_keras.Model(image, layers.DepthwiseConv2D(3, name="only")(image))
    assert select(model, "prune", _patterns()).keys == {("only", "depthwise_kernel")}
