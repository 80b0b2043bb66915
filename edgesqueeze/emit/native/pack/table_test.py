"""Every kernel set packs weights for the very kernels that it links."""

from dataclasses import fields

import numpy as np
import pytest

from edgesqueeze.emit.native.conv_shape import ConvShape
from edgesqueeze.emit.native.kernels import ALIGNMENT, CORE_SETS, FOLDER
from edgesqueeze.emit.native.pack import dsp, mve, reference
from edgesqueeze.emit.native.pack.table import PACKING, Packing

KERNELS = {
    "conv2d": "es_conv2d_s8",
    "conv2d_1x1": "es_conv2d_1x1_s8",
    "depthwise": "es_depthwise_conv2d_s8",
    "depthwise_3x3": "es_depthwise_conv2d_3x3_s8",
    "fully_connected": "es_fully_connected_s8",
}
MODULES = {"reference": reference, "dsp": dsp, "mve": mve}


def test_every_set_has_a_row():
    assert set(PACKING) == set(ALIGNMENT) == {"reference", *CORE_SETS.values()}
    assert {field.name for field in fields(Packing)} == {*KERNELS, "depthwise_pixels"}


@pytest.mark.parametrize("kernel_set", PACKING)
@pytest.mark.parametrize("row", KERNELS)
def test_a_set_packs_itself_where_it_has_the_kernel_and_as_portable_c_where_not(kernel_set, row):
    own = (FOLDER / kernel_set / f"{KERNELS[row]}.c").is_file()
    module = MODULES[kernel_set] if own else reference
    packer = getattr(PACKING[kernel_set], row)
    assert packer.pack.__module__ == packer.scratch.__module__ == module.__name__
    assert packer.scratch.__name__ == f"{row}_scratch"
    if row.startswith("conv2d"):
        assert packer.group == module.CONV_PIXELS


@pytest.mark.parametrize(("kernel_set", "row"), [(one, row) for one in PACKING for row in KERNELS])
def test_weights_of_a_layer_can_be_packed(kernel_set, row):
    packer = getattr(PACKING[kernel_set], row)
    shape = {"depthwise": (5, 5, 6), "depthwise_3x3": (3, 3, 6), "fully_connected": (6, 12)}.get(row)
    weights = np.full(shape or (6, 1, 1, 12), -127, np.int8)
    blob = packer.pack(weights)
    assert blob.array.dtype == np.int8
    assert blob.array.ndim == 1
    assert blob.bytes >= weights.size
    sizes = 12 if row == "fully_connected" else ConvShape(4, 4, 12, 4, 4, 6)
    assert packer.scratch(sizes) > 0


@pytest.mark.parametrize("row", ["conv2d", "conv2d_1x1", "fully_connected"])
def test_only_the_words_of_two_channels_cannot_hold_minus_128(row):
    weights = np.array([[-127, 127], [1, 2]], np.int8)
    lowest = np.array([[-127, 127], [1, -128]], np.int8)
    taken = {name: getattr(packing, row).takes for name, packing in PACKING.items()}
    assert {name: takes(weights) for name, takes in taken.items()} == dict.fromkeys(PACKING, True)
    assert {name: takes(lowest) for name, takes in taken.items()} == {
        "reference": True,
        "dsp": False,
        "mve": True,
    }
