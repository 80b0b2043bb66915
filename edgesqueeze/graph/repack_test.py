"""Sharing vectors changes a file's size and nothing else."""

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.repack import pack, share_vectors
from edgesqueeze.runners import litert
from edgesqueeze.runners.samples import data_samples, random_data
from runtime_tests.support.tflite_builder import tiny_cnn, tiny_dense, tiny_residual, tiny_two_heads

MODELS = {"cnn": tiny_cnn, "dense": tiny_dense, "residual": tiny_residual, "heads": tiny_two_heads}


@pytest.mark.parametrize("name", MODELS)
def test_outputs_stay_the_same_to_the_bit(name):
    before = MODELS[name]()
    after = share_vectors(before)
    model, shared = parse_tflite(before), parse_tflite(after)
    samples = data_samples(model, random_data(model, 8))
    for one, other in zip(litert.run(model, samples), litert.run(shared, samples), strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", MODELS)
def test_nothing_in_the_graph_changes(name):
    before = MODELS[name]()
    for one, other in zip(
        parse_tflite(before).main.tensors, parse_tflite(share_vectors(before)).main.tensors, strict=True
    ):
        assert (one.name, one.shape, one.dtype) == (other.name, other.shape, other.dtype)
        assert (one.data is None) == (other.data is None)
        if one.data is not None:
            np.testing.assert_array_equal(one.data, other.data)
        if one.quantization is not None:
            np.testing.assert_array_equal(one.quantization.scales, other.quantization.scales)
            np.testing.assert_array_equal(one.quantization.zero_points, other.quantization.zero_points)


def test_equal_vectors_are_stored_once_and_sharing_again_changes_nothing():
    before = tiny_cnn()
    after = share_vectors(before)
    assert len(after) < len(before)
    assert share_vectors(after) == after


def test_constants_stay_aligned():
    root = schema.Model.GetRootAsModel(share_vectors(tiny_cnn()), 0)
    found = [root.Buffers(i) for i in range(root.BuffersLength())]
    starts = [one._tab.Vector(one._tab.Offset(4)) for one in found if one.DataLength()]
    assert starts
    assert all(start % 16 == 0 for start in starts)


def test_ranges_go_with_scales_only():
    record = schema.ModelT.InitFromPackedBuf(tiny_cnn(), 0)
    tensors = record.subgraphs[0].tensors
    for one in tensors:
        if one.quantization is not None:
            one.quantization.min = one.quantization.max = np.ones(1, np.float32)
    scaled = [one.quantization is not None and one.quantization.scale is not None for one in tensors]
    ranged = next(index for index, found in enumerate(scaled) if not found)
    tensors[ranged].quantization = schema.QuantizationParametersT()
    tensors[ranged].quantization.min = tensors[ranged].quantization.max = np.ones(1, np.float32)
    after = schema.ModelT.InitFromPackedBuf(share_vectors(pack(record, 4096)), 0).subgraphs[0].tensors
    kept = [one.quantization is not None and one.quantization.min is not None for one in after]
    assert any(scaled)
    assert [index for index, found in enumerate(kept) if found] == [ranged]
