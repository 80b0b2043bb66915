from edgesqueeze.graph import parse_tflite
from edgesqueeze.graph.builder import GraphBuilder
from edgesqueeze.latency.microbenchmarks import benchmarks
from edgesqueeze.latency.work import work_of
from runtime_tests.support.graph_figures import total_macs
from runtime_tests.support.tflite_builder import tiny_cnn, tiny_two_heads


def works(build, dtype="int8", shape=(1, 8, 8, 4)):
    graph = GraphBuilder(seed=1)
    return work_of(parse_tflite(graph.build([build(graph, graph.input(shape, dtype))])))


def test_a_convolution_is_a_product_of_matrices():
    (work,) = works(lambda g, x: g.conv2d(x, 6, kernel=(3, 5), stride=2))
    assert (work.kind, work.arithmetic) == ("conv", "int8")
    assert (work.rows, work.depth, work.columns) == (4 * 4, 3 * 5 * 4, 6)
    assert (work.taps, work.stride) == (15, 2)
    assert work.macs == 16 * 60 * 6
    assert (work.inputs, work.outputs, work.element_bytes) == (8 * 8 * 4, 4 * 4 * 6, 1)
    assert work.weight_bytes == 15 * 4 * 6 + 4 * 6
    assert work.shapes == "3x5: 8x8x4->4x4x6"


def test_a_depthwise_convolution_has_one_window_of_one_channel():
    (work,) = works(lambda g, x: g.depthwise_conv2d(x, kernel=5), dtype="float32")
    assert (work.kind, work.arithmetic) == ("depthwise", "float32")
    assert (work.rows, work.depth, work.columns) == (64, 25, 4)
    assert work.element_bytes == 4


def test_a_dense_layer_has_one_row():
    (work,) = works(lambda g, x: g.fully_connected(x, 7), shape=(1, 12))
    assert (work.kind, work.rows, work.depth, work.columns) == ("fully_connected", 1, 12, 7)


def test_pooling_and_reduction_count_what_they_read():
    (pool,) = works(lambda g, x: g.average_pool(x, 4))
    assert (pool.kind, pool.rows, pool.depth, pool.columns) == ("pool", 4, 16, 4)
    (mean,) = works(lambda g, x: g.mean(x))
    assert (mean.kind, mean.rows, mean.depth, mean.columns) == ("reduce", 1, 64, 4)


def test_element_wise_operators_have_a_depth_of_one():
    (work,) = works(lambda g, x: g.add(x, x))
    assert (work.kind, work.rows, work.depth, work.columns) == ("elementwise", 256, 1, 1)
    assert (work.inputs, work.outputs, work.macs) == (512, 256, 0)


def test_int8_weights_with_float_activations_are_hybrid():
    graph = GraphBuilder(seed=1)
    x = graph.input((1, 4), "float32")
    weights = graph.tensor((3, 4), "int8", 0.1, data=graph.rng.integers(-9, 9, (3, 4)).astype("int8"))
    y = graph.tensor((1, 3), "float32")
    graph.op("FULLY_CONNECTED", [x, weights], [y], fusedActivationFunction="NONE")
    (work,) = work_of(parse_tflite(graph.build([y])))
    assert work.arithmetic == "hybrid"


def test_what_is_computed_from_constants_is_free():
    graph = GraphBuilder(seed=1)
    x = graph.input((1, 4), "float32")
    constant = graph.constant(graph.rng.normal(size=(1, 4)).astype("float32"))
    y = graph.add(x, graph.add(constant, constant))
    kinds = [work.kind for work in work_of(parse_tflite(graph.build([y])))]
    assert kinds == ["free", "elementwise"]


def test_multiply_accumulates_are_those_of_the_graph():
    contents = [tiny_cnn(), tiny_two_heads(), *(one.content for one in benchmarks("int8") if one.network)]
    for content in contents:
        model = parse_tflite(content)
        assert sum(work.macs for work in work_of(model)) == total_macs(model)


def test_rows_depth_and_columns_multiply_to_the_work():
    for one in benchmarks("float32"):
        for work in work_of(parse_tflite(one.content)):
            if work.macs:
                assert work.rows * work.depth * work.columns == work.macs, one.name


def gathered():
    """Eight rows of a table of 1000."""
    graph = GraphBuilder(seed=1)
    rows = graph.input((1, 8), "int32")
    table = graph.constant(graph.rng.normal(size=(1000, 16)).astype("float32"))
    y = graph.tensor((1, 8, 16), "float32")
    graph.op("GATHER", [table, rows], [y], axis=0)
    return work_of(parse_tflite(graph.build([y])))[0]


def test_of_a_table_only_the_rows_that_are_looked_up_are_read():
    assert gathered().weight_bytes == 8 * 16 * 4


def test_indices_do_not_make_an_operator_an_integer_one():
    assert gathered().arithmetic == "float32"


def test_integers_that_are_not_quantized_are_said_to_be_so():
    graph = GraphBuilder(seed=1)
    x = graph.input((1, 8), "int32")
    y = graph.tensor((1, 8), "int32")
    graph.op("ABS", [x], [y])
    (work,) = work_of(parse_tflite(graph.build([y])))
    assert work.arithmetic == "int32"


def test_weights_that_are_unpacked_on_loading_are_weights():
    graph = GraphBuilder(seed=1)
    x = graph.input((1, 4), "float32")
    stored = graph.constant(graph.rng.normal(size=(3, 4)).astype("float16"))
    weights, y = graph.tensor((3, 4), "float32"), graph.tensor((1, 3), "float32")
    graph.op("DEQUANTIZE", [stored], [weights])
    graph.op("FULLY_CONNECTED", [x, weights], [y], fusedActivationFunction="NONE")
    unpacked, dense = work_of(parse_tflite(graph.build([y])))
    assert unpacked.kind == "free"
    assert (dense.inputs, dense.weight_bytes, dense.shapes) == (4, 3 * 4 * 4, "4->3")
