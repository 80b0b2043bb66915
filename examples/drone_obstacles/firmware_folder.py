"""The firmware: the network as C without a runtime, what is around it, and its twin in Python."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

import edgesqueeze
from examples.drone_obstacles.trees import ACROSS, Picture

HERE = Path(__file__).parent / "firmware"
NAME = "canopy"
AHEAD, CORRIDOR = 8, 4
"""Cells from the drone to the front of a frame, and across the way that has to be free."""
EMULATED = """\
#include "es_emulated.h"
#include "obstacles.h"

void es_emulated_program(void) {
  static obstacles finder;
  static uint8_t frame[OBSTACLES_FRAME * OBSTACLES_FRAME * 3];
  uint16_t rows[OBSTACLES_CELLS];
  ES_EMULATED_PART(0);
  if (obstacles_init(&finder) != 0) {
    return;
  }
  while (ES_EMULATED_READ(frame, sizeof frame)) {
    ES_EMULATED_PART(1);
    obstacles_find(&finder, frame, rows);
    const uint8_t free_cells = (uint8_t)obstacles_free(rows);
    ES_EMULATED_PART(0);
    ES_EMULATED_WRITE(rows, sizeof rows);
    ES_EMULATED_WRITE(&free_cells, 1);
  }
}
"""
PARTS = ("input and output", "a frame")
ANSWER = np.dtype([("rows", "<u2", ACROSS), ("free", "u1")])
"""What the emulated program writes for every frame."""

Answers = npt.NDArray[np.void]


def bound_in_c(least_score: int) -> str:
    """``obstacles_bound.h``."""
    return f"""\
/* Written by firmware_folder.py. */
#ifndef OBSTACLES_BOUND_H
#define OBSTACLES_BOUND_H

#define OBSTACLES_LEAST_SCORE ({least_score})

#endif /* OBSTACLES_BOUND_H */
"""


def firmware_files(model: edgesqueeze.TfliteModel, core: str, least_score: int) -> dict[str, str]:
    """All files of the firmware for a core: path -> text."""
    network = edgesqueeze.emit_native(model, core=core, name=NAME).files
    ours = {path.name: path.read_text() for path in sorted(HERE.iterdir()) if path.suffix in (".c", ".h")}
    return {**network, **ours, "obstacles_bound.h": bound_in_c(least_score)}


def answers_of(scores: npt.NDArray[np.int8], least_score: int) -> Answers:
    """What the firmware finds in frames of these scores [n, 16, 16]: ``obstacles_find`` in Python."""
    found = scores >= least_score
    answers = np.zeros(len(scores), ANSWER)
    answers["rows"] = found.astype(np.uint32) @ (1 << np.arange(ACROSS, dtype=np.uint32))
    first = (ACROSS - CORRIDOR) // 2
    blocked = found[:, AHEAD - 1 :: -1, first : first + CORRIDOR].any(2)
    answers["free"] = np.where(blocked.any(1), blocked.argmax(1), AHEAD)
    return answers


def emulated(files: dict[str, str], target: str, frames: Picture) -> tuple[Answers, edgesqueeze.ProgramRun]:
    """What the firmware finds in frames [n, 128, 128, 3] on an emulated board, and what it costs there."""
    kept = {path: text for path, text in files.items() if path != "main.c"}
    run = edgesqueeze.emulate_program(
        {**kept, "emulated.c": EMULATED}, target, parts=PARTS, data=frames.tobytes(), seconds=600
    )
    return np.frombuffer(run.output, ANSWER), run
