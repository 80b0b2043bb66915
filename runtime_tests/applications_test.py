"""Every family of keras.applications goes into tf_keras and back."""

import keras
import numpy as np
import pytest

from edgesqueeze.squeeze.opening import sameness as compare
from edgesqueeze.squeeze.opening.load import adopt_model
from edgesqueeze.squeeze.opening.save import unbridge

# Family and the smallest input that it takes.
FAMILIES = {
    "MobileNet": 96,
    "MobileNetV2": 96,
    "MobileNetV3Small": 96,
    "MobileNetV3Large": 96,
    "EfficientNetB0": 64,
    "EfficientNetV2B0": 64,
    "ResNet50": 64,
    "ResNet50V2": 64,
    "DenseNet121": 64,
    "NASNetMobile": 64,
    "Xception": 71,
    "InceptionV3": 75,
    "InceptionResNetV2": 75,
    "VGG16": 32,
    "ConvNeXtTiny": 32,
}


def settle(model, seed=0):
    """Statistics and biases that matter: fresh ones are 0 and 1, and hide mistakes."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        if len(weight.shape) == 1:
            # Upwards, but for means: a network whose units are all off tells nothing.
            low, high = (-0.1, 0.1) if "mean" in weight.name else (0.0, 0.4)
            weight.assign(weight + rng.uniform(low, high, weight.shape).astype("float32"))
    return model


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_family(family):
    size = FAMILIES[family]
    keras.backend.clear_session()
    keras.utils.set_random_seed(1)
    make = getattr(keras.applications, family)
    model = settle(make(weights=None, include_top=False, pooling="avg", input_shape=(size, size, 3)))
    loaded = adopt_model(model)
    values = compare.sample_inputs(loaded.model)
    outputs = compare.evaluate(model, values)[0]
    assert np.std(outputs) > 0
    assert np.any(outputs[0] != outputs[1])
    back = unbridge(loaded.model)
    assert compare.require_same(model, back, values) <= compare.TOLERANCE
    assert back.count_params() == pytest.approx(model.count_params(), rel=1e-3)
