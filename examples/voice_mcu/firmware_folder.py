"""The firmware: the network as C without a runtime, the front end, the detector, and the scaling."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

import edgesqueeze
from examples.voice_mcu import features
from examples.voice_mcu.features import UNIT, Ints

HERE = Path(__file__).parent / "firmware"
NAME = "digits"
SHIFT = 16
EMULATED = """\
#include "es_emulated.h"
#include "voice.h"

void es_emulated_program(void) {
  static voice v;
  static int16_t samples[MFCC_HOP];
  ES_EMULATED_PART(0);
  if (voice_init(&v) != 0) {
    return;
  }
  while (ES_EMULATED_READ(samples, sizeof samples)) {
    ES_EMULATED_PART(1);
    const int8_t heard = (int8_t)voice_push(&v, samples);
    ES_EMULATED_PART(0);
    ES_EMULATED_WRITE(&heard, 1);
  }
}
"""
EMULATED_PARTS = ("input and output", "front end and detector", "features of words", "network")


class Quantizer(NamedTuple):
    """From MFCCs in 1/256 decibels to the network's integers, as ``voice_features`` does it.

    Attributes:
        mean: of each coefficient, in 1/256 decibels [13].
        factor: steps of the network's input in 1/256 decibels, 16 binary places [13].
        zero_point: of the network's input.
    """

    mean: Ints
    factor: Ints
    zero_point: int

    def __call__(self, words: Ints) -> npt.NDArray[np.int8]:
        """Features [n, 40, 13] as the network takes them."""
        scaled = ((words - self.mean) * self.factor + (1 << (SHIFT - 1))) >> SHIFT
        return np.clip(scaled + self.zero_point, -128, 127).astype(np.int8)


def quantizer_of(model: edgesqueeze.TfliteModel, mean: npt.ArrayLike, deviation: npt.ArrayLike) -> Quantizer:
    """What scales for a network: its own scale and the scaling of the training data in one step."""
    quantization = model.main.input_tensors[0].quantization
    assert quantization is not None
    scale, zero_point = float(quantization.scales[0]), int(quantization.zero_points[0])
    whole = np.rint(np.asarray(mean) * UNIT).astype(np.int64)
    factor = np.rint((1 << SHIFT) / (UNIT * np.asarray(deviation) * scale)).astype(np.int64)
    return Quantizer(whole, factor, zero_point)


def scaling_in_c(quantizer: Quantizer, least_score: int) -> str:
    """``voice_scaling.h``."""
    means, factors = (", ".join(map(str, row.tolist())) for row in (quantizer.mean, quantizer.factor))
    return f"""\
/* Written by firmware_folder.py. */
#ifndef VOICE_SCALING_H
#define VOICE_SCALING_H

#define VOICE_ZERO_POINT ({quantizer.zero_point})
#define VOICE_LEAST_SCORE ({least_score})

static const int32_t voice_mean[MFCC_COEFFICIENTS] = {{{means}}};
static const int32_t voice_factor[MFCC_COEFFICIENTS] = {{{factors}}};

#endif /* VOICE_SCALING_H */
"""


def firmware_files(
    model: edgesqueeze.TfliteModel, core: str, quantizer: Quantizer, least_score: int
) -> dict[str, str]:
    """All files of the firmware for a core: path -> text."""
    network = edgesqueeze.emit_native(model, core=core, name=NAME).files
    ours = {path.name: path.read_text() for path in sorted(HERE.iterdir()) if path.suffix in (".c", ".h")}
    written = {
        "mfcc_tables.h": features.tables_in_c(),
        "voice_scaling.h": scaling_in_c(quantizer, least_score),
    }
    return {**network, **ours, **written}


def emulated_files(files: dict[str, str]) -> dict[str, str]:
    """The same with what runs in the emulator in place of the board's ``main.c``."""
    parts = '#include "es_emulated.h"\n#define VOICE_PART(number) ES_EMULATED_PART(number)\n'
    kept = {path: text for path, text in files.items() if path != "main.c"}
    return {**kept, "voice.c": parts + files["voice.c"], "emulated.c": EMULATED}
