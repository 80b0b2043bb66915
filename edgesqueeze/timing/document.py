"""All that ``edgesqueeze bench --json`` may print, for its schema.

The documents of one device share the head ``latency.document.TimingHead``.
"""

from __future__ import annotations

from pydantic import RootModel

from edgesqueeze.devices.records import Boards, Measurement
from edgesqueeze.latency.prediction import Prediction
from edgesqueeze.timing.emulation import Emulation
from edgesqueeze.timing.verdict import Verdicts


class BenchDocument(RootModel[Emulation | Prediction | Measurement | Boards | Verdicts]):
    """How long a model takes: emulated, predicted, or measured on one device or on several.

    Attributes:
        root: the document; ``method`` says how the time was found. That of several measured devices has
            ``boards``, that of devices that were compared has ``devices``.
    """
