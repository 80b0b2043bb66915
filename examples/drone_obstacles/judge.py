"""How good the network is on places that it never saw, and the classical methods beside it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

import edgesqueeze
from examples.drone_obstacles.trees import CELL, Picture, Place, cover, frames_of, joined

BLOCK = 4
"""Cells across the squares, 6.4 m wide, that are drawn anew for a confidence interval."""
DRAWS = 2000
NEAR = 1
"""Cells: what is found within so many of a crown is not far from an obstacle."""
MIDDLE = 4
"""The place of a cell among the nine of which ``features`` has the figures."""

Map = npt.NDArray[np.bool_]
Scores = npt.NDArray[np.int8]


class Score(NamedTuple):
    """How well obstacles were found.

    Attributes:
        f1: of cells.
        low: the 2.5 % quantile of F1 when squares of 6.4 m are drawn anew, with replacement (Efron, 1979).
        high: the 97.5 % quantile.
        precision: share of the cells found that are occupied.
        recall: share of the occupied cells that are found.
        trees: how many there are.
        trees_found: those that a found cell's middle lies in the box of.
        far: share of the cells found that have no crown in them and none in a cell beside them.
    """

    f1: float
    low: float
    high: float
    precision: float
    recall: float
    trees: int
    trees_found: int
    far: float


def f1(truth: Map, found: Map) -> float:
    """Harmonic mean of precision and recall; 1 where there is nothing and nothing is found."""
    both = int(np.sum(truth)) + int(np.sum(found))
    return 2 * float(np.sum(truth & found)) / both if both else 1.0


def f2(truth: Map, found: Map) -> float:
    """F1 with recall that counts twice as much as precision; 0 where there is nothing."""
    every = 4 * int(np.sum(truth)) + int(np.sum(found))
    return 5 * float(np.sum(truth & found)) / every if every else 0.0


def score(place: Place, found: Map) -> Score:
    """Compare the cells found in a place [height / 8, width / 8] with the trees by hand."""
    truth, crowns = place.occupied, cover(place.crowns) > 0
    padded = np.pad(crowns, NEAR)
    near = np.lib.stride_tricks.sliding_window_view(padded, (2 * NEAR + 1,) * 2).any((-2, -1))
    right, cells = int(np.sum(truth & found)), max(int(found.sum()), 1)
    low, high = _interval(truth, found)
    numbers = (f1(truth, found), low, high, right / cells, right / max(int(truth.sum()), 1))
    hits = sum(_is_hit(box, found) for box in place.boxes)
    far = int(np.sum(found & ~near)) / cells
    return Score(*(round(one, 3) for one in numbers), len(place.boxes), hits, round(far, 3))


def _is_hit(box: npt.NDArray[np.float64], found: Map) -> bool:
    """Whether a found cell's middle is in a tree's box; or in a box without one, the cell at its middle."""
    first, last = np.ceil(box[:2] / CELL - 0.5).astype(int), np.floor(box[2:] / CELL - 0.5).astype(int)
    middle = ((box[:2] + box[2:]) / (2 * CELL)).astype(int)
    (left, top), (right, bottom) = (np.where(first > last, middle, side) for side in (first, last))
    return bool(found[top : bottom + 1, left : right + 1].any())


def _interval(truth: Map, found: Map) -> tuple[float, float]:
    height, width = (-(-side // BLOCK) for side in truth.shape)
    rows, columns = np.indices(truth.shape) // BLOCK
    number = (rows * width + columns).reshape(-1)
    counts = np.stack(
        [
            np.bincount(number, one.reshape(-1).astype(float), height * width)
            for one in (truth & found, truth, found)
        ]
    )
    drawn = np.random.default_rng(0).integers(0, height * width, (DRAWS, height * width))
    right, real, said = (one[drawn].sum(1) for one in counts)
    low, high = np.quantile(2 * right / np.maximum(real + said, 1), (0.025, 0.975))
    return float(low), float(high)


def scores_of(model: edgesqueeze.TfliteModel, frames: Picture) -> Scores:
    """What a .tflite says of frames [n, 128, 128, 3]: scores [n, 16, 16] as in the firmware, -128 to 127."""
    (likely,) = edgesqueeze.run(model, (frames ^ 0x80).view(np.int8), runtime="c")
    return (np.rint(likely[..., 0] * 256) - 128).astype(np.int8)


def map_of(model: edgesqueeze.TfliteModel, place: Place) -> Scores:
    """The scores of a whole place [height / 8, width / 8]."""
    return joined(scores_of(model, frames_of(place.picture)), *place.crowns.shape)


def least_score(truth: Map, scores: npt.NDArray[Any]) -> Any:
    """The bound that parts obstacles from the rest with the best F2: misses are worse than false alarms."""
    bounds = np.unique(np.quantile(scores, np.linspace(0.02, 0.98, 97), method="nearest"))
    return bounds[int(np.argmax([f2(truth, scores >= bound) for bound in bounds]))]


def f1_at_best_bound(occupied: npt.NDArray[Any], likely: npt.NDArray[Any]) -> float:
    """What ``compress`` judges by: F1 with the bound that would be chosen, of labels and outputs."""
    truth = occupied > 0
    return f1(truth, likely >= least_score(truth, likely))


def classical(known: Place, held_out: Place, places: dict[str, Place]) -> dict[str, dict[str, Map]]:
    """Three ways to find obstacles without a network: maps by method and place.

    ``every cell`` takes all for obstacles. ``excess green`` takes cells that are greener and more rugged than
    Otsu's threshold (1979) of each (excess green: Woebbecke and others, 1995). ``regression`` is logistic, on
    colours, their deviations and slopes in a cell and around it; it learns from what the network learns from.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    model.fit(features(known.picture).reshape(known.occupied.size, -1), known.occupied.reshape(-1))

    def likely(place: Place) -> npt.NDArray[np.float64]:
        rows = features(place.picture).reshape(place.occupied.size, -1)
        return np.asarray(model.predict_proba(rows)[:, 1]).reshape(place.occupied.shape)

    bound = least_score(held_out.occupied, likely(held_out))
    return {
        "every cell": {name: np.ones_like(place.occupied) for name, place in places.items()},
        "excess green": {name: _green(place.picture) for name, place in places.items()},
        "regression": {name: likely(place) >= bound for name, place in places.items()},
    }


def features(picture: Picture) -> npt.NDArray[np.float64]:
    """Of each cell and of the eight around it [height / 8, width / 8, 81].

    Mean and deviation of each colour, excess green, the mean slope of grey, and the darkest pixel.
    """
    height, width = (side // CELL for side in picture.shape[:2])
    cells = picture.reshape(height, CELL, width, CELL, 3).astype(np.float64) / 255
    mean, deviation = cells.mean((1, 3)), cells.std((1, 3))
    grey = picture.mean(-1) / 255
    slope = np.hypot(*np.gradient(grey)).reshape(height, CELL, width, CELL).mean((1, 3))
    darkest = cells.mean(-1).min((1, 3))
    own = np.dstack([mean, deviation, excess_green(mean), slope, darkest])
    padded = np.pad(own, ((1, 1), (1, 1), (0, 0)), mode="edge")
    around = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(0, 1))
    return around.reshape(height, width, -1)


def excess_green(colours: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """By how much green outweighs red and blue [...], of colours [..., 3]."""
    red, green, blue = np.moveaxis(colours, -1, 0)
    return (2 * green - red - blue) / np.maximum(red + green + blue, 1e-6)


def _green(picture: Picture) -> Map:
    own = features(picture)[..., MIDDLE::9]
    green, slope = own[..., 6], own[..., 7]
    return (green >= otsu(green)) & (slope >= otsu(slope))


def otsu(values: npt.NDArray[np.float64]) -> float:
    """Otsu's threshold: the one that parts values into two groups that differ most."""
    ordered = np.sort(values.reshape(-1))
    count = np.arange(1, len(ordered))
    below, total = np.cumsum(ordered)[:-1], ordered.sum()
    apart = count * (len(ordered) - count) * (below / count - (total - below) / (len(ordered) - count)) ** 2
    return float(ordered[int(np.argmax(apart)) + 1])
