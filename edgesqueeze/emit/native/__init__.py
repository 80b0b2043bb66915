"""A .tflite as plain C: no interpreter, no heap, only the kernels that the model needs."""
