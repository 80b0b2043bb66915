"""Aerial photographs in which people drew a box around every tree: pictures, crowns, cells and frames.

The photographs are of NEON, the National Ecological Observatory Network of the USA, with 10 cm a pixel; they
and the boxes lie in the wheel ``deepforest``, which is read and not installed.
"""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from examples.common.packages import Package, read_members

WHEEL = Package(
    "pypi", "deepforest", "2.1.0", "8c2798d8e9be7f0004b194fe207b76c1d9fff6e711b3db67b9508dcd5d00ae54"
)
NAMES = {
    "training": "2019_YELL_2_528000_4978000_image_crop2",
    "yellowstone": "2019_YELL_2_541000_4977000_image_crop",
    "florida": "OSBS_029",
    "california": "SOAP_061",
}
"""What the places are called here -> their files in the wheel."""
JUDGED = ("yellowstone", "florida", "california")
FINER = 2
"""Pixels of a photograph across one of ours."""
METRES = 0.2
"""Across a pixel of ours."""
CELL, FRAME = 8, 128
"""Pixels across a cell, 1.6 m, and across what the camera sees at a time, 25.6 m."""
ACROSS = FRAME // CELL
OCCUPIED = 0.5
"""The least share of a cell that is under crowns where there is an obstacle."""


Picture = npt.NDArray[np.uint8]


class Place(NamedTuple):
    """A photograph of 20 cm a pixel, and its trees.

    Attributes:
        picture: colours [height, width, 3], 0 to 255; both sides are multiples of a cell's.
        crowns: how far a pixel is under a crown [height, width], 0 to 255.
        boxes: of trees [n, 4] in pixels: left, top, right, bottom.
    """

    picture: Picture
    crowns: Picture
    boxes: npt.NDArray[np.float64]

    @property
    def occupied(self) -> npt.NDArray[np.bool_]:
        """Which cells have an obstacle [height / 8, width / 8]."""
        return cover(self.crowns) >= OCCUPIED

    def part(self, top: int, bottom: int) -> Place:
        """The rows ``top`` to ``bottom``, multiples of 8, and the trees that have their middles there."""
        middles = self.boxes[:, 1::2].mean(1)
        boxes = self.boxes[(middles >= top) & (middles < bottom)] - [0, top, 0, top]
        return Place(self.picture[top:bottom], self.crowns[top:bottom], boxes)


def read_places() -> dict[str, Place]:
    """All places by name; fetches the wheel where it is not kept yet."""
    wanted = {f"deepforest/data/{name}.{kind}" for name in NAMES.values() for kind in ("png", "xml")}
    files = read_members(WHEEL, wanted.__contains__)
    return {
        place: place_of(files[f"deepforest/data/{name}.png"], files[f"deepforest/data/{name}.xml"])
        for place, name in NAMES.items()
    }


def place_of(photograph: bytes, boxes: bytes) -> Place:
    """A place from a PNG file of 10 cm a pixel and boxes as Pascal VOC has them."""
    image = Image.open(io.BytesIO(photograph)).convert("RGB")
    step = FINER * CELL
    width, height = (side // step * step for side in image.size)
    sides = ("xmin", "ymin", "xmax", "ymax")
    corners = [
        [float(box.findtext(side, "nan")) for side in sides] for box in ET.fromstring(boxes).iter("bndbox")
    ]
    crowns = Image.new("L", (width, height))
    pen = ImageDraw.Draw(crowns)
    for left, top, right, bottom in corners:
        # A crown is round: the corners of its box are not of it.
        pen.ellipse((left, top, right, bottom), fill=255)
    return Place(
        np.asarray(image.crop((0, 0, width, height)).reduce(FINER)),
        np.asarray(crowns.reduce(FINER)),
        np.array(corners) / FINER,
    )


def cover(crowns: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Which share of each cell is under crowns [..., height / 8, width / 8], of [..., height, width]."""
    *many, height, width = crowns.shape
    cells = crowns.reshape(*many, height // CELL, CELL, width // CELL, CELL)
    return cells.mean((-3, -1)) / 255


def corners_of(side: int, step: int = FRAME // 2) -> list[int]:
    """Where frames begin along a side, half of a frame apart, and where the last one does."""
    return sorted({*range(0, side - FRAME, step), side - FRAME})


def frames_of(picture: Picture) -> Picture:
    """Frames [n, 128, 128, 3] that cover a picture [height, width, 3], each place up to four times."""
    height, width = picture.shape[:2]
    return np.stack(
        [
            picture[top : top + FRAME, left : left + FRAME]
            for top in corners_of(height)
            for left in corners_of(width)
        ]
    )


def joined(cells: npt.NDArray[np.floating], height: int, width: int) -> npt.NDArray[np.floating]:
    """What was said of frames [n, 16, 16], as a map of a picture [height / 8, width / 8].

    Each cell is as the frame has it in whose middle it lies most.
    """
    tops, lefts = corners_of(height), corners_of(width)
    rows, columns = (np.arange(side // CELL) for side in (height, width))
    frame_of_row, frame_of_column = (
        np.abs(np.array(firsts)[:, None] / CELL + (ACROSS - 1) / 2 - places).argmin(0)
        for firsts, places in ((tops, rows), (lefts, columns))
    )
    number = frame_of_row[:, None] * len(lefts) + frame_of_column
    row = rows - np.array(tops)[frame_of_row] // CELL
    column = columns - np.array(lefts)[frame_of_column] // CELL
    return cells[number, row[:, None], column]
