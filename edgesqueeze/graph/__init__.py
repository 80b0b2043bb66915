"""A .tflite as a small typed operator graph; weight statistics; multiply-accumulate counts."""

from edgesqueeze.graph.read import parse_tflite, read_tflite
from edgesqueeze.graph.records import NO_TENSOR, Graph, Operator, Quantization, Tensor, TfliteModel

__all__ = [
    "NO_TENSOR",
    "Graph",
    "Operator",
    "Quantization",
    "Tensor",
    "TfliteModel",
    "parse_tflite",
    "read_tflite",
]
