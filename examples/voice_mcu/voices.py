"""Words spoken by synthetic voices: espeak-ng through ctypes, flite as a program, neither of them installed.

Every word comes as sound of one channel: 8,000 samples a second, float32 from -1 to 1.
"""

from __future__ import annotations

import ctypes
import io
import os
import subprocess
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.signal import resample_poly

from examples.common.packages import Package, unpack
from examples.voice_mcu.features import RATE

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
UNKNOWN, SILENCE, CLASSES = 10, 11, 12
"""Classes besides the digits: another word, a noise; and how many there are."""
ESPEAK = Package(
    "pypi", "espeakng-loader", "0.2.4", "08721baf27d13d461f6be6eed9a65277e70d68234ff484fd8b9897b222cdcb6d"
)
FLITE = Package(
    "debian", "flite", "2.2-5", "f4ce03470bf9974c2cb9cacd981e6be29339ef4c97cf994dd6fa3f90e6544db9"
)
FLITE_LIBRARY = Package(
    "debian", "libflite1", "2.2-5", "bfa8c591f1b47730b30b372ec38e02918a1c9795eada67684e1746390ad2f061"
)
FLITE_VOICES = ("kal", "kal16", "awb", "rms", "slt")
SPELLINGS = {
    **dict.fromkeys(
        (
            "en-us",
            "en-gb-x-rp",
            "en-gb-scotland",
            "en-029",
            "en-us-nyc",
            "en-gb-x-gbclan",
            "en-gb-x-gbcwmd",
        ),
        DIGITS,
    ),
    "de": ("siroh", "uann", "tuh", "ssrieh", "foor", "faiw", "ßix", "ßewwen", "ejt", "nain"),
    "fr": ("zirô", "ouane", "tou", "srie", "fore", "faïve", "sixe", "sévène", "éïte", "naïne"),
    "es": ("sírou", "uán", "tú", "zrí", "fóor", "fáif", "siks", "séven", "éit", "náin"),
    "it": ("ziro", "uan", "tu", "trii", "foor", "faiv", "sics", "seven", "eit", "nain"),
    "nl": ("ziro", "wan", "toe", "srie", "foor", "faaiv", "siks", "zeven", "eet", "naain"),
    "pl": ("ziroł", "łan", "tu", "sri", "foor", "fajw", "siks", "sewen", "ejt", "najn"),
    "sv": ("sirå", "oann", "to", "tri", "får", "fajv", "siks", "seven", "ejt", "najn"),
    "tr": ("ziro", "van", "tu", "sri", "foor", "fayv", "siks", "sevın", "eyt", "nayn"),
    "hi": ("ज़ीरो", "वन", "टू", "थ्री", "फ़ोर", "फ़ाइव", "सिक्स", "सेवन", "एट", "नाइन"),
}
"""espeak-ng's languages -> how the digits are spelled for them: dialects of English, and accents, which are
the English words as speakers of other languages read them."""
OTHERS = (Path(__file__).parent / "other_words.txt").read_text().split()
"""Words that are no digit, some of them near to one; what sounds like one (to, for, ate, won) is left out."""

Sound = npt.NDArray[np.float32]


class Spoken(NamedTuple):
    """A word as a voice says it: a digit, or ``UNKNOWN``."""

    voice: str
    digit: int
    sound: Sound


class Espeak:
    """espeak-ng's library, one for a process. Functions and numbers are those of its ``speak_lib.h``."""

    SYNCHRONOUS, UTF8 = 2, 1
    SPEED, PITCH = 1, 3

    def __init__(self, folder: Path) -> None:
        home = folder / "espeakng_loader"
        self.library = ctypes.CDLL(str(home / "libespeak-ng.so"))
        self.rate = self.library.espeak_Initialize(self.SYNCHRONOUS, 0, str(home).encode(), 0)
        if self.rate <= 0:
            raise RuntimeError(f"espeak-ng does not find its data in {home}")
        self.parts: list[npt.NDArray[np.int16]] = []
        kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
        # Kept: the library calls it later.
        self.callback = kind(self._take)
        self.library.espeak_SetSynthCallback(self.callback)

    def _take(self, samples: ctypes._Pointer[ctypes.c_short], count: int, _events: object) -> int:
        if samples and count > 0:
            self.parts.append(np.ctypeslib.as_array(samples, shape=(count,)).copy())
        return 0

    def say(self, text: str, voice: str, speed: int, pitch: int) -> Sound | None:
        """A text at a speed in words a minute and a pitch from 0 to 100; None if the voice says nothing."""
        if self.library.espeak_SetVoiceByName(voice.encode()) != 0:
            return None
        self.library.espeak_SetParameter(self.SPEED, speed, 0)
        self.library.espeak_SetParameter(self.PITCH, pitch, 0)
        self.parts.clear()
        data = text.encode() + b"\0"
        self.library.espeak_Synth(data, len(data), 0, 0, 0, self.UTF8, None, None)
        return at_rate(np.concatenate(self.parts) / np.float32(32768), self.rate) if self.parts else None


def fetch_engines(folder: Path) -> Path:
    """Unpack espeak-ng and flite into a folder."""
    if not (folder / "usr").exists():
        unpack(ESPEAK, lambda name: name.startswith("espeakng_loader/"), folder)
        unpack(FLITE, lambda name: name == "usr/bin/flite", folder)
        unpack(FLITE_LIBRARY, lambda name: ".so" in name, folder)
    return folder


def espeak_variants(folder: Path) -> list[str]:
    """Names of espeak-ng's variants of voice, of which any goes with any language."""
    return sorted(
        path.name for path in (folder / "espeakng_loader" / "espeak-ng-data" / "voices" / "!v").iterdir()
    )


def espeak_words(
    folder: Path, language: str, variants: list[str], others: int, rng: np.random.Generator
) -> Iterator[Spoken]:
    """Ten digits by each variant of a language; of English also some other words."""
    engine = Espeak(folder)
    for variant in variants:
        words = list(enumerate(SPELLINGS[language]))
        if language.startswith("en"):
            words += [(UNKNOWN, str(word)) for word in rng.choice(OTHERS, others, replace=False)]
        for digit, word in words:
            speed, pitch = int(rng.integers(110, 230)), int(rng.integers(15, 85))
            sound = engine.say(word, f"{language}+{variant}", speed, pitch)
            if sound is not None:
                yield Spoken(variant, digit, sound)


def flite_words(
    folder: Path, voice: str, manners: int, others: int, rng: np.random.Generator
) -> Iterator[Spoken]:
    """Ten digits and some other words by a voice of flite, in several tempos and pitches."""
    environment = {**os.environ, "LD_LIBRARY_PATH": str(folder / "usr/lib/x86_64-linux-gnu")}
    for _ in range(manners):
        stretch, pitch = rng.uniform(0.7, 1.4), rng.uniform(75, 240)
        manner = ["--setf", f"duration_stretch={stretch:.2f}", "--setf", f"int_f0_target_mean={pitch:.0f}"]
        words = [
            *enumerate(DIGITS),
            *((UNKNOWN, str(one)) for one in rng.choice(OTHERS, others, replace=False)),
        ]
        for digit, word in words:
            command = [
                str(folder / "usr/bin/flite"),
                "-voice",
                voice,
                *manner,
                "-t",
                word,
                "-o",
                "/dev/stdout",
            ]
            done = subprocess.run(command, env=environment, capture_output=True, check=True)
            yield Spoken(f"flite-{voice}", digit, read_wave(done.stdout))


def at_rate(sound: npt.NDArray[np.floating], rate: int) -> Sound:
    """The sound at 8,000 samples a second."""
    if rate != RATE:
        common = int(np.gcd(rate, RATE))
        sound = resample_poly(sound, RATE // common, rate // common)
    return np.asarray(sound, np.float32)


def read_wave(content: bytes) -> Sound:
    """A WAVE file of 8 or 16 bits; the mean of its channels."""
    with wave.open(io.BytesIO(content)) as file:
        data = file.readframes(file.getnframes())
        if file.getsampwidth() == 2:
            samples = np.frombuffer(data[: len(data) // 2 * 2], np.int16) / np.float32(32768)
        else:
            samples = (np.frombuffer(data, np.uint8) - np.float32(128)) / np.float32(128)
        channels = file.getnchannels()
        samples = samples[: len(samples) // channels * channels].reshape(-1, channels)
        return at_rate(samples.mean(1), file.getframerate())
