"""What all records share, and the record of a figure that is not known exactly."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """A frozen record that refuses unknown fields.

    Its validator is built when it is first used, so that a command pays only for the records it needs.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Range(Record):
    """A figure that is not known exactly.

    Attributes:
        estimate: most likely value.
        low: lowest value that is plausible.
        high: highest value that is plausible.
    """

    estimate: float
    low: float
    high: float

    def contains(self, figure: float) -> bool:
        """Whether a figure lies between the bounds."""
        return self.low <= figure <= self.high
