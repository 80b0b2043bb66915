"""The result as a picture: what the firmware hears in a stream, and which digits it takes for which."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from examples.voice_mcu import features
from examples.voice_mcu.features import HOP, WINDOW
from examples.voice_mcu.voices import DIGITS, UNKNOWN

WIDTH, MARGIN = 1000, 24
SPECTRUM, CELL = 160, 34
INK, PAPER, RIGHT, WRONG = (30, 30, 30), (255, 255, 255), (34, 110, 60), (178, 60, 40)
COLUMNS = (*DIGITS, "unknown", "noise")


def draw(
    samples: npt.NDArray[np.int16], heard: npt.NDArray[np.int8], confusion: list[list[int]], path: Path
) -> None:
    """Write the picture.

    Args:
        samples: a stream of sound.
        heard: what ``voice_push`` gave for every 200 samples of it.
        confusion: how often a digit (row) was heard as a digit, as unknown or as noise (column).
        path: a PNG file.
    """
    matrix_top = MARGIN + SPECTRUM + 96
    picture = Image.new("RGB", (WIDTH, matrix_top + 10 * CELL + MARGIN), PAPER)
    pen = ImageDraw.Draw(picture)
    small, large = (ImageFont.load_default(size) for size in (13, 20))
    picture.paste(_spectrum(samples), (MARGIN, MARGIN))
    across = WIDTH - 2 * MARGIN
    for frame in np.flatnonzero(heard >= 0):
        x = MARGIN + across * int(frame) // len(heard)
        pen.line([(x, MARGIN), (x, MARGIN + SPECTRUM + 6)], WRONG, 1)
        label = str(heard[frame]) if heard[frame] < UNKNOWN else "?"
        pen.text((x, MARGIN + SPECTRUM + 8), label, INK, large, anchor="ma")
    seconds = len(samples) / features.RATE
    text = (
        f"{seconds:.1f} s of sound in {features.BANDS} mel bands; the firmware's answers, when it gives them"
    )
    pen.text((MARGIN, MARGIN + SPECTRUM + 40), text, INK, small)
    _matrix(pen, confusion, matrix_top, small)
    picture.save(path)


def _spectrum(samples: npt.NDArray[np.int16]) -> Image.Image:
    """The bands over time, dark where they are loud."""
    frames = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP]
    levels = features.bands(frames).astype(np.float64)
    floor = levels.max() - features.RANGE * 0.75
    shade = 255 - 255 * np.clip((levels - floor) / (levels.max() - floor), 0, 1)
    return Image.fromarray(np.flipud(shade.T).astype(np.uint8)).resize((WIDTH - 2 * MARGIN, SPECTRUM))


def _matrix(
    pen: ImageDraw.ImageDraw, confusion: list[list[int]], top: int, font: ImageFont.FreeTypeFont
) -> None:
    left = MARGIN + 250
    wide = (WIDTH - MARGIN - left) // len(COLUMNS)
    for column, name in enumerate(COLUMNS):
        pen.text((left + column * wide + wide // 2, top - 6), name, INK, font, anchor="ms")
    for row, counts in enumerate(confusion):
        y = top + row * CELL
        said = f"people say {DIGITS[row]} ({sum(counts)} times)"
        pen.text((left - 10, y + CELL // 2), said, INK, font, anchor="rm")
        for column, count in enumerate(counts):
            colour = RIGHT if row == column else WRONG
            part = count / max(1, sum(counts))
            fill = tuple(round(255 + (one - 255) * part**0.5) for one in colour)
            box = (left + column * wide, y, left + (column + 1) * wide - 2, y + CELL - 2)
            pen.rectangle(box, fill)
            if count:
                ink = PAPER if part > 0.3 else INK
                pen.text(((box[0] + box[2]) // 2, y + CELL // 2), str(count), ink, font, anchor="mm")
