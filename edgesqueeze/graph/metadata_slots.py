"""Where TFLite's metadata have what: the tables of ``metadata_schema.fbs`` (TFLite Support), as far as used.

A field's number is its position in the schema's table, from 0. Numbers of unions and enumerations follow
their order there.
"""

from __future__ import annotations

import struct

ENTRY = b"TFLITE_METADATA"
"""Name of the entry in the model's own list of metadata."""
IDENTIFIER = b"M001"
PARSER_VERSION = "1.0.0"
"""The oldest parser that knows all that is written here."""

MODEL = {
    "name": 0,
    "description": 1,
    "version": 2,
    "subgraph_metadata": 3,
    "author": 4,
    "license": 5,
    "min_parser_version": 7,
}
MODEL_TEXTS = ("name", "description", "version", "author", "license")
GRAPH = {"input_tensor_metadata": 2, "output_tensor_metadata": 3}
TENSOR = {"name": 0, "description": 1, "content": 3, "process_units": 4, "associated_files": 6}
CONTENT = {"content_properties_type": 0, "content_properties": 1}
IMAGE = {"color_space": 0}
UNIT = {"options_type": 0, "options": 1}
NORMALIZATION = {"mean": 0, "std": 1}
FILE = {"name": 0, "type": 2}

CONTENTS = {1: "features", 2: "image", 3: "boxes", 4: "audio"}
COLOR_SPACES = {3: 1, 1: 2}
"""By the number of an image's channels: RGB and grayscale."""
NORMALIZATION_OPTIONS = 1
AXIS_LABELS = 2
LABEL_TYPES = (2, 3)
"""Labels of an axis, and of values."""


def floats(raw: bytes) -> tuple[float, ...]:
    """The numbers of a vector of float32."""
    return struct.unpack(f"<{len(raw) // 4}f", raw)
