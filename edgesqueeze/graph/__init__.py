"""A .tflite as a small typed operator graph; weight statistics; multiply-accumulate counts."""

from edgesqueeze.graph.read import as_model, parse_tflite, read_tflite
from edgesqueeze.graph.records import NO_TENSOR, Graph, Operator, Quantization, Tensor, TfliteModel

__all__ = [
    "NO_TENSOR",
    "Graph",
    "Operator",
    "Quantization",
    "Tensor",
    "TfliteModel",
    "as_model",
    "parse_tflite",
    "read_tflite",
]
