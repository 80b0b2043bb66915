"""Constant data: names, order, and what is stored once."""

import numpy as np

from edgesqueeze.emit.native.constants import collect
from edgesqueeze.emit.native.records import Blob, Call, Layer, Struct


def blob(*values, dtype=np.int8, **options):
    return Blob(np.array(values, dtype), "data", **options)


def layer(index, *calls):
    return Layer(index, "ADD", "sum", "4", 0, calls)


def call(*inputs, **members):
    return Call("es_x", "es_x.h", Struct("es_x", members) if members else None, inputs, (9,))


def test_names_count_within_a_layer():
    first, second, third = blob(1), blob(2), blob(3)
    layers = [layer(0, call(weights=first, bias=second)), layer(10, call(weights=third))]
    found = collect(layers, "tiny_data")
    assert [array.name for array in found.arrays] == ["tiny_data_0_0", "tiny_data_0_1", "tiny_data_10_0"]
    assert [array.comment for array in found.arrays] == ["0 ADD: data", "0 ADD: data", "10 ADD: data"]
    assert found.names[third] == "tiny_data_10_0"
    assert found.bytes == 3


def test_equal_bytes_are_stored_once():
    first, second = blob(1, 2, 3), blob(1, 2, 3)
    found = collect([layer(0, call(weights=first)), layer(1, call(weights=second))], "d")
    assert [array.name for array in found.arrays] == ["d_0_0"]
    assert found.names[first] == found.names[second] == "d_0_0"
    assert found.bytes == 3


def test_equal_bytes_of_other_types_and_alignments_are_not_equal():
    blobs = [
        blob(1, 0),
        blob(1, 0, alignment=16),
        blob(1, 0, dtype=np.uint8),
        blob(1, dtype=np.int16),
        Blob(np.array([[1, 0]], np.int8), "data", struct="es_general_channel"),
    ]
    found = collect([layer(0, *(call(weights=one) for one in blobs))], "d")
    assert len(found.arrays) == len(blobs)
    assert len({found.names[one] for one in blobs}) == len(blobs)
    types = ["int8_t", "int8_t", "uint8_t", "int16_t", "es_general_channel"]
    assert [array.type_name for array in found.arrays] == types


def test_what_parameters_point_to_comes_before_operands_of_all_layers():
    operand, inner, outer = blob(1), blob(2), blob(3)
    nested = {"inner": Struct("es_inner", {"values": inner}), "outer": outer, "count": 3}
    found = collect([layer(0, call(operand, 4)), layer(1, call(5, **nested))], "d")
    assert [array.blob for array in found.arrays] == [inner, outer, operand]
    assert [array.name for array in found.arrays] == ["d_1_0", "d_1_1", "d_0_0"]


def test_no_constants():
    found = collect([layer(0, call(1, 2))], "d")
    assert (found.arrays, dict(found.names), found.bytes) == ((), {}, 0)
