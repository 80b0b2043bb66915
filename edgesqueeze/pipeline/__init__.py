"""What ``compress`` does, in the order in which it does it: prepare, squeeze, judge."""

from edgesqueeze.pipeline.judging import agreement, judge
from edgesqueeze.pipeline.run import compress, traced
from edgesqueeze.report.result import Compressed
from edgesqueeze.squeeze.apply import Squeezed, squeeze
from edgesqueeze.squeeze.prepare import Prepared, prepare
from edgesqueeze.target.preferences import fill_preferences

__all__ = [
    "Compressed",
    "Prepared",
    "Squeezed",
    "agreement",
    "compress",
    "fill_preferences",
    "judge",
    "prepare",
    "squeeze",
    "traced",
]
