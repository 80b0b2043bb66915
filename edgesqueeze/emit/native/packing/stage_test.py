"""Packed layers compute what plain ones do, in the memory that there is."""

import numpy as np
import pytest

from edgesqueeze.emit.native.emit import emit_native
from edgesqueeze.emit.native.lower.graph import lower
from edgesqueeze.emit.native.packing.sites import sites_of
from edgesqueeze.emit.native.packing.stage import EXTRA_RAM
from edgesqueeze.emit.native.packing.table import ENCODINGS
from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.runners import host_c, tflm
from runtime_tests.support.packed_layers import (
    DENSE_ENCODINGS,
    MOST_VALUES,
    all_kinds,
    clustered,
    force,
    small_images,
)
from runtime_tests.support.random_layers import random_inputs
from runtime_tests.support.tools import require_tool


def packings(source):
    return [layer.packing for layer in source.layers if layer.packing is not None]


def samples_of(model, count=2):
    shapes = [tensor.shape for tensor in model.main.input_tensors]
    return [sample for seed in range(count) for sample in random_inputs(shapes, seed)]


@pytest.mark.parametrize("ram_bytes", [None, 0])
@pytest.mark.parametrize("name", ENCODINGS)
def test_every_encoding_on_this_computer_equals_tflm(name, ram_bytes, monkeypatch):
    require_tool("gcc", "gcc")
    force(monkeypatch, name)
    zeros = 0.2 if name in DENSE_ENCODINGS else 0.7
    model = parse_tflite(all_kinds(zeros=zeros, values=MOST_VALUES.get(name, 16)))
    source = emit_native(model, optimize="size", ram_bytes=ram_bytes)
    used = [packing for packing in packings(source) if packing.encoding == name]
    assert used
    assert ram_bytes is not None or len(used) == 6
    samples = samples_of(model)
    got = host_c.host_program(source, sanitize=True).run(samples)
    np.testing.assert_array_equal(got, tflm.run(model, samples))


def test_the_report_says_what_the_flash_says(monkeypatch):
    force(monkeypatch, "palette")
    plain, packed = (
        emit_native(parse_tflite(small_images()), core="cortex-m4", optimize=optimize)
        for optimize in ("time", "size")
    )
    saved = sum(packing.plain_bytes - packing.bytes for packing in packings(packed))
    assert saved > 0.48 * sum(packing.plain_bytes for packing in packings(plain))
    assert plain.weights_bytes - packed.weights_bytes == saved
    assert "es_unpack_palette_pairs_s8.c" in " ".join(packed.files)
    assert not any("packed" in name for name in plain.files)


@pytest.mark.parametrize("core", [None, "cortex-m4", "cortex-m55"])
def test_the_arena_grows_by_4_kib_at_most_and_not_beyond_the_ram(core):
    model = parse_tflite(all_kinds(zeros=0.2))
    plain = emit_native(model, core=core, optimize="time").arena_bytes
    packed = emit_native(model, core=core, optimize="size")
    assert plain <= packed.arena_bytes <= plain + EXTRA_RAM
    assert any(layer.parts for layer in packings(packed))
    small = emit_native(model, core=core, optimize="size", ram_bytes=plain + 600)
    assert small.arena_bytes <= plain + 600
    # Not every limit between is tried: a smaller one may spare a little more.
    assert small.weights_bytes >= packed.weights_bytes - 32


def test_smaller_parts_where_the_ram_is_small():
    graph = GraphBuilder(name="wide")
    x = graph.input((1, 8, 8, 32))
    weights = clustered(np.random.default_rng(0), (64, 3, 3, 32))
    model = parse_tflite(graph.build([graph.conv2d(x, 64, weights=weights)]))
    (layer,) = packings(emit_native(model, core="cortex-m4", optimize="size"))
    assert layer.encoding == "palette"
    assert layer.parts > 1


def test_plain_with_a_word_where_not_even_a_part_fits():
    graph = GraphBuilder(name="long")
    x = graph.input((1, 4096))
    weights = clustered(np.random.default_rng(0), (8, 4096))
    model = parse_tflite(graph.build([graph.fully_connected(x, 8, weights=weights)]))
    (layer,) = packings(emit_native(model, core="cortex-m4", optimize="size"))
    assert (layer.encoding, layer.parts) == ("plain", 0)
    assert "bytes of RAM are left" in layer.note


@pytest.mark.parametrize("core", ["cortex-m4", "cortex-m55", "cortex-m0plus"])
def test_few_values_take_3_bits(core):
    model = parse_tflite(small_images(values=8))
    source = emit_native(model, core=core, optimize="size")
    assert {layer.encoding for layer in packings(source)} <= {"small-palette", "plain"}
    packed = [layer for layer in packings(source) if layer.encoding == "small-palette"]
    bits = [8 * layer.bytes / layer.plain_bytes for layer in packed]
    assert len(packed) >= 3
    assert max(bits) <= 3.3


def test_balance_spends_4_percent_of_the_time():
    model = parse_tflite(small_images())
    balance = packings(emit_native(model, core="cortex-m4"))
    assert [layer.encoding for layer in balance] == ["plain"] * 4
    assert not any(layer.note for layer in balance)


def test_weights_that_two_layers_share_are_stored_once():
    graph = GraphBuilder(name="twins")
    x = graph.input((1, 16, 16, 64))
    weights = clustered(np.random.default_rng(0), (64, 1, 1, 64))
    once = graph.conv2d(x, 64, kernel=1, weights=weights)
    model = parse_tflite(graph.build([graph.conv2d(once, 64, kernel=1, weights=weights)]), "twins")
    source = emit_native(model, core="cortex-m4")
    assert [layer.encoding for layer in packings(source)] == ["palette", "palette"]
    text = source.files["twins_weights.c"]
    assert text.count("weights, palette") == 1


def test_random_weights_stay_as_they_are():
    graph = GraphBuilder(name="random")
    model = parse_tflite(graph.build([graph.conv2d(graph.input((1, 8, 8, 16)), 64)]))
    one, other = (emit_native(model, core="cortex-m4", optimize=kind) for kind in ("time", "balance"))
    assert one.files == other.files


@pytest.mark.parametrize("kernel_set", ["reference", "dsp", "mve"])
def test_sites_hold_the_weights_of_the_model(kernel_set):
    model = parse_tflite(all_kinds(zeros=0.3))
    lowered = lower(model, kernel_set)
    for site in sites_of(lowered, kernel_set):
        kernel = model.main.tensors[model.main.operators[site.layer + (site.layer > 4)].inputs[1]]
        want = np.sort(kernel.data.reshape(-1))
        got = np.sort(site.weights)
        padding = np.zeros(got.size - want.size, np.int8)
        np.testing.assert_array_equal(got, np.sort(np.concatenate([want, padding])))
        for part_outputs in range(site.unit or site.outputs, site.outputs, site.unit or 1):
            assert sum(site.parts(part_outputs)) == site.weights.size
