"""All that ``edgesqueeze bench --json`` may print, for its schema."""

from __future__ import annotations

from pydantic import RootModel

from edgesqueeze.devices.records import Boards, Measurement
from edgesqueeze.latency.prediction import Prediction
from edgesqueeze.timing.emulation import Emulation


class BenchDocument(RootModel[Emulation | Prediction | Measurement | Boards]):
    """How long a model takes: emulated, predicted, or measured on a device, or on several.

    Attributes:
        root: which of them, as ``method`` says; several devices have ``boards``.
    """
