"""The result to look at: obstacles on the map of each place, and a flight over one of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

import edgesqueeze
from examples.drone_obstacles.firmware_folder import AHEAD, CORRIDOR, answers_of
from examples.drone_obstacles.judge import Map, scores_of
from examples.drone_obstacles.trees import ACROSS, CELL, FRAME, JUDGED, METRES, Picture, Place

RIGHT, FALSE, MISSED = (40, 200, 80), (240, 40, 30), (50, 90, 255)
FOUND, BY_HAND, WAY = (240, 60, 30), (255, 255, 255), (255, 230, 80)
INK, PAPER = (30, 30, 30), (255, 255, 255)
ALPHA, MARGIN, LINE = 0.45, 10, 24
ENLARGED, OVERVIEW = 3, 0.5
COLUMN = 260
"""Where the flight begins from the left, in pixels: its way crosses the road."""


def blended(picture: Picture, cells: Map, colour: tuple[int, int, int], side: int = CELL) -> Picture:
    """A picture with cells [height / side, width / side] in a colour that lets it through."""
    inside = np.zeros(picture.shape[:2], bool)
    for row, column in np.argwhere(cells):
        inside[row * side + 1 : (row + 1) * side, column * side + 1 : (column + 1) * side] = True
    mixed = picture * (1 - ALPHA) + np.array(colour) * ALPHA
    return np.where(inside[..., None], mixed, picture).astype(np.uint8)


def judged_picture(place: Place, found: Map) -> Image.Image:
    """A place with the cells that were found rightly, wrongly, and not."""
    picture, truth = place.picture, place.occupied
    for cells, colour in ((found & truth, RIGHT), (found & ~truth, FALSE), (truth & ~found, MISSED)):
        picture = blended(picture, cells, colour)
    return Image.fromarray(picture)


def draw_places(places: dict[str, Place], found: dict[str, Map], path: Path) -> None:
    """Write a PNG of all places that are judged on, the largest on the left."""
    pictures = [judged_picture(places[name], found[name]) for name in JUDGED]
    large, *small = pictures
    width = large.width + max(one.width for one in small) + 3 * MARGIN
    sheet = Image.new("RGB", (width, large.height + 2 * MARGIN + 2 * LINE), PAPER)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    sheet.paste(large, (MARGIN, LINE + MARGIN))
    pen.text((MARGIN, MARGIN), "Yellowstone", INK, font)
    top = MARGIN
    for name, one in zip(JUDGED[1:], small, strict=True):
        pen.text((large.width + 2 * MARGIN, top), name.title(), INK, font)
        sheet.paste(one, (large.width + 2 * MARGIN, top + LINE))
        top += one.height + LINE + MARGIN
    left, line = MARGIN, sheet.height - LINE
    for text, colour in (("found", RIGHT), ("found where none is", FALSE), ("not found", MISSED)):
        pen.rectangle((left, line, left + 12, line + 12), colour)
        pen.text((left + 18, line - 1), text, INK, font)
        left += 40 + int(font.getlength(text))
    sheet.quantize(128).save(path, optimize=True)


def fly(
    model: edgesqueeze.TfliteModel, least: int, place: Place, path: Path, speed: float, count: int
) -> None:
    """Write a flight over a place as an animated picture, in real time.

    Args:
        model: the .tflite.
        least: the score from which a cell is an obstacle.
        place: what is flown over, from the bottom to the top.
        path: a WebP file.
        speed: in metres a second.
        count: of pictures, evenly along the way.
    """
    tops = np.linspace(place.crowns.shape[0] - FRAME, 0, count).round().astype(int)
    frames = np.stack([place.picture[top : top + FRAME, COLUMN : COLUMN + FRAME] for top in tops])
    scores = scores_of(model, frames)
    free = answers_of(scores, least)["free"]
    overview = Image.fromarray(place.picture)
    overview = overview.resize([round(side * OVERVIEW) for side in overview.size])
    pictures = [
        _moment(place, overview, int(top), found, int(cells))
        for top, found, cells in zip(tops, scores >= least, free, strict=True)
    ]
    step = 1000 * METRES * float(tops[0] - tops[-1]) / (count - 1) / speed
    first, *others = pictures
    first.save(path, save_all=True, append_images=others, duration=round(step), loop=0, quality=35, method=4)


def _moment(place: Place, overview: Image.Image, top: int, found: Map, free: int) -> Image.Image:
    """What the drone sees and finds on the left, and where it is on the right."""
    side = FRAME * ENLARGED
    sheet = Image.new("RGB", (side + overview.width + 3 * MARGIN, side + 2 * MARGIN + LINE), PAPER)
    seen = place.picture[top : top + FRAME, COLUMN : COLUMN + FRAME]
    large = np.asarray(Image.fromarray(seen).resize((side, side), Image.Resampling.BICUBIC))
    view = Image.fromarray(blended(large, found, FOUND, CELL * ENLARGED))
    _crowns(view, place.boxes - [COLUMN, top, COLUMN, top])
    pen, cell = ImageDraw.Draw(view), CELL * ENLARGED
    left, right = ((ACROSS + sign * CORRIDOR) // 2 * cell for sign in (-1, 1))
    pen.rectangle((left, (AHEAD - free) * cell, right, AHEAD * cell), outline=WAY, width=2)
    pen.ellipse((side // 2 - 5, side // 2 - 5, side // 2 + 5, side // 2 + 5), WAY)
    sheet.paste(view, (MARGIN, MARGIN))
    sheet.paste(overview, (side + 2 * MARGIN, MARGIN))
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    x, y = side + 2 * MARGIN + COLUMN * OVERVIEW, MARGIN + top * OVERVIEW
    pen.rectangle((x, y, x + FRAME * OVERVIEW, y + FRAME * OVERVIEW), outline=WAY, width=2)
    metres = CELL * METRES
    text = f"{free * metres:.1f} of {AHEAD * metres:.1f} m ahead are free"
    pen.text((MARGIN, side + MARGIN + 4), text, INK, font)
    pen.text((side + 2 * MARGIN, overview.height + 2 * MARGIN), "red: found by the network", INK, font)
    pen.text((side + 2 * MARGIN, overview.height + 3 * MARGIN + 12), "white: drawn by hand", INK, font)
    return sheet


def _crowns(view: Image.Image, boxes: npt.NDArray[np.float64]) -> None:
    pen = ImageDraw.Draw(view)
    for left, top, right, bottom in (boxes * ENLARGED).tolist():
        pen.ellipse((left, top, right, bottom), outline=BY_HAND)
