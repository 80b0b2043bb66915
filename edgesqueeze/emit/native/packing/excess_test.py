"""Who gives memory up: a kernel that needs no scratch memory has nothing to give but itself."""

import numpy as np

from edgesqueeze.emit.native.lower.graph import lower
from edgesqueeze.emit.native.packing import stage
from edgesqueeze.emit.native.packing.bitmap import BITMAP
from edgesqueeze.emit.native.packing.choose import Option
from edgesqueeze.emit.native.packing.excess import excess_of
from edgesqueeze.emit.native.packing.sites import sites_of
from edgesqueeze.emit.native.packing.skip_dense import FULLY_CONNECTED
from edgesqueeze.emit.native.plan import plan
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from runtime_tests.support.packed_layers import in_blocks


def dense():
    graph = GraphBuilder(0, name="dense")
    weights = in_blocks(np.random.default_rng(0), (64, 128), (4, 1), zeros=0.8)
    return parse_tflite(graph.build([graph.fully_connected(graph.input((1, 128)), 64, weights=weights)]))


def excess(encoding, missing):
    """The scratch memory of the layer, and what it may try where the arena is so many bytes too large."""
    lowered = lower(dense(), "dsp")
    (site,) = sites_of(lowered, "dsp")
    chosen = {site: Option(encoding, site.outputs, 0, 0)}
    changed = stage._changed(lowered, chosen, "dsp")
    planned = plan(changed, "dsp")
    scratch = changed.layers[0].calls[0].scratch_bytes
    return scratch, excess_of(changed, planned, chosen, planned.arena_bytes - missing)


def test_nothing_where_all_fits():
    assert excess(BITMAP, 0)[1] == {}


def test_scratch_memory_shrinks_by_what_is_missing():
    scratch, found = excess(BITMAP, 64)
    assert scratch - 64 - 16 < found[0] <= scratch - 48


def test_a_kernel_without_scratch_memory_is_given_up():
    row = next(one for one in FULLY_CONNECTED if one.name == "dense-blocks")
    assert excess(row, 16) == (0, {0: -1})
