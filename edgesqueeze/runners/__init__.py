"""Run a model somewhere: LiteRT, TFLite Micro, C on the host, an emulator, a board over SSH.

Every runner is a function ``run(model, samples, *, carry_state=None)``. ``samples`` holds one entry per
inference: the arrays of the graph's inputs, in their order, of exactly the inputs' dtype and shape. The
result holds one list per inference: the arrays of the graph's outputs, in their order.

``carry_state`` says whether what a model keeps (LSTM, SVDF, resource variables) goes on from one inference
to the next; if not, every inference is as the first. None: the samples are independent, unless the model
takes one step of a sequence per inference (``graph.state``). Every call starts afresh.
"""
