"""Run a model somewhere: LiteRT, TFLite Micro, C on the host, an emulator, a board over SSH.

Every runner is a function ``run(model, samples, ...)``. ``samples`` holds one entry per inference: the
arrays of the graph's inputs, in their order, of exactly the inputs' dtype and shape. The result holds one
list per inference: the arrays of the graph's outputs, in their order.
"""
