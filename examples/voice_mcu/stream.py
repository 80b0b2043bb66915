"""The same network a step at a time: four frames go in, and what it needs of those before it gives out and
takes back.

A network that is asked ten times a second what the last second was computes most of it ten times. Here every
convolution is given the last columns of its input again, and computes new ones only. Keras has no layer that
keeps them, so they are inputs and outputs, and whoever calls the network hands them on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

import edgesqueeze
from examples.voice_mcu.features import COEFFICIENTS, STEPS
from examples.voice_mcu.firmware_folder import NAME
from examples.voice_mcu.voices import CLASSES

CHUNK = 4
"""Frames of a step, 100 ms: the strides of the network."""
STREAM, FRAMES, NEXT = "stream", "frames", "_next"
PARTS = ("input and output", "network")
WHOLE = f"""\
#include "{NAME}.h"
#include "es_emulated.h"

void es_emulated_program(void) {{
  static {NAME}_model model;
  static uint8_t arena[{NAME.upper()}_ARENA_BYTES] {NAME.upper()}_ARENA_ALIGNED;
  static int8_t word[{STEPS * COEFFICIENTS}];
  ES_EMULATED_PART(0);
  if ({NAME}_init(&model, arena, sizeof arena) != 0) {{
    return;
  }}
  while (ES_EMULATED_READ(word, sizeof word)) {{
    for (unsigned i = 0; i < sizeof word; ++i) {{
      {NAME}_input(&model)[i] = word[i];
    }}
    ES_EMULATED_PART(1);
    {NAME}_invoke(&model);
    ES_EMULATED_PART(0);
    ES_EMULATED_WRITE({NAME}_output(&model), {CLASSES});
  }}
}}
"""
STEPWISE = f"""\
#include "es_emulated.h"
#include "stream_step.h"

void es_emulated_program(void) {{
  static stream listener;
  static int8_t frames[{CHUNK * COEFFICIENTS}];
  static int8_t scores[{CLASSES}];
  ES_EMULATED_PART(0);
  if (stream_begin(&listener) != 0) {{
    return;
  }}
  while (ES_EMULATED_READ(frames, sizeof frames)) {{
    ES_EMULATED_PART(1);
    stream_step(&listener, frames, scores);
    ES_EMULATED_PART(0);
    ES_EMULATED_WRITE(scores, sizeof scores);
  }}
}}
"""

Arrays = Mapping[str, npt.NDArray[np.float32]]
Scores = npt.NDArray[np.int8]


def streaming(model: Any) -> Any:
    """The network of ``train.build_model`` for four frames [4, 13] and what is kept, with the same weights.

    Its outputs are the scores, and what is kept for the next step, in the order of the inputs.
    """
    import keras
    from keras import layers

    frames = keras.Input((CHUNK, COEFFICIENTS), name=FRAMES)
    kept, behind = [], []

    def after_kept(x: Any, columns: int) -> Any:
        """The kept columns and the new ones behind them, of which the last are kept."""
        kept.append(keras.Input((columns, x.shape[-1]), name=f"kept{len(kept) + 1}"))
        whole = layers.Concatenate(axis=1)([kept[-1], x])
        cut = layers.Cropping1D((whole.shape[1] - columns, 0), name=kept[-1].name + NEXT)
        behind.append(cut(whole))
        return whole

    x = frames
    for layer in model.layers[1:]:
        if isinstance(layer, layers.Conv1D):
            x = after_kept(x, layer.kernel_size[0] - layer.strides[0])
        elif isinstance(layer, layers.GlobalAveragePooling1D):
            x = after_kept(x, layer.input.shape[1] - x.shape[1])
        # A layer of its own, with the weights of the other.
        own = type(layer).from_config(layer.get_config())
        x = own(x)
        own.set_weights(layer.get_weights())
    return keras.Model([frames, *kept], [x, *behind], name=STREAM)


def nothing_kept(network: Any) -> Arrays:
    """Zeros for all that a streaming Keras network takes besides frames, for one word."""
    return {one.name: np.zeros((1, *one.shape[1:]), np.float32) for one in network.inputs[1:]}


def step_by_step(
    say: Callable[[Arrays], Any], nothing: Arrays, words: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.float32], list[Arrays]]:
    """What a streaming network says at the last step of words, and what it was given at each step.

    Args:
        say: runs the network: its inputs by name to its outputs in their order.
        nothing: what is kept at first, for one word.
        words: scaled features [n, 40, 13].
    """
    kept = {name: np.repeat(first, len(words), 0) for name, first in nothing.items()}
    given = []
    for first in range(0, STEPS, CHUNK):
        given.append({FRAMES: words[:, first : first + CHUNK], **kept})
        likely, *behind = say(given[-1])
        kept = dict(zip(kept, behind, strict=True))
    return np.asarray(likely), given


def compressed(
    network: Any, folder: Path, known: npt.NDArray[np.float32], target: str
) -> edgesqueeze.TfliteModel:
    """A streaming Keras network as a .tflite of integers.

    Args:
        network: of ``streaming``.
        folder: for the network, the data, and what ``compress`` makes of them.
        known: scaled features of training words [n, 40, 13]; ranges are taken from what they make it keep.
        target: the board.
    """

    def say(arrays: Arrays) -> Any:
        return network.predict([arrays[one.name] for one in network.inputs], batch_size=512, verbose=0)

    folder.mkdir(parents=True, exist_ok=True)
    network.save(folder / "stream.keras")
    _, given = step_by_step(say, nothing_kept(network), known)
    data = {f"x_train/{name}": np.concatenate([step[name] for step in given]) for name in given[0]}
    np.savez(folder / "stream.npz", **data)  # type: ignore[arg-type]
    edgesqueeze.compress(
        folder / "stream.keras",
        target=target,
        data=folder / "stream.npz",
        out=folder / "compressed",
        recipe=edgesqueeze.parse_recipe({"quantize": {"mode": "int8", "io": "int8"}}),
    )
    return edgesqueeze.read_tflite(folder / "compressed" / "model.tflite")


def scores_behind(model: edgesqueeze.TfliteModel, nothing: Arrays, words: npt.NDArray[np.float32]) -> Scores:
    """What the streaming .tflite says of words [n, 40, 13] at their last step: scores [n, 12], int8."""
    likely, _ = step_by_step(lambda arrays: edgesqueeze.run(model, arrays, runtime="c"), nothing, words)
    return (np.rint(likely * 256) - 128).astype(np.int8)


class HandedOn(NamedTuple):
    """Something that is kept: which output gives it, which input takes it, and the integer of zero."""

    name: str
    given: int
    taken: int
    zero: int


def handed_on(model: edgesqueeze.TfliteModel) -> list[HandedOn]:
    """Everything that is kept from step to step.

    Raises:
        ValueError: an output has other integers than the input that takes them.
    """
    inputs, outputs = _names(model)
    found = []
    for taken, name in enumerate(inputs):
        if name != FRAMES:
            given = outputs.index(name + NEXT)
            one = model.main.input_tensors[taken].quantization
            other = model.main.output_tensors[given].quantization
            assert one is not None and other is not None
            if (one.scales, one.zero_points) != (other.scales, other.zero_points):
                raise ValueError(f"{name} is given with other integers than it is taken with")
            found.append(HandedOn(name, given, taken, int(one.zero_points[0])))
    return sorted(found)


def _names(model: edgesqueeze.TfliteModel) -> tuple[list[str], list[str]]:
    """Names of inputs and outputs, in the file's order, which is not Keras's."""
    said = edgesqueeze.read_metadata(model)
    assert said is not None
    return [one.name for one in said.inputs], [one.name for one in said.outputs]


def step_in_c(model: edgesqueeze.TfliteModel) -> str:
    """``stream_step.h``: a step of the network, and what is kept between two."""
    inputs, outputs = _names(model)
    kept, frames = handed_on(model), inputs.index(FRAMES)
    (scores,) = set(range(len(outputs))) - {one.given for one in kept}

    def each(line: str) -> str:
        return "\n".join("  " + line.format(**one._asdict()) for one in kept)

    return f"""\
/* Written by stream.py. */
#ifndef STREAM_STEP_H
#define STREAM_STEP_H

#include <string.h>

#include "stream.h"

typedef struct {{
{each("int8_t {name}[STREAM_INPUT_{taken}_ELEMENTS];")}
  stream_model model;
  uint8_t arena[STREAM_ARENA_BYTES] STREAM_ARENA_ALIGNED;
}} stream;

/* Begins anew: nothing was heard. Returns 0, or what stream_init() refuses. */
static inline int stream_begin(stream *s) {{
{each("memset(s->{name}, {zero}, sizeof s->{name});")}
  return stream_init(&s->model, s->arena, sizeof s->arena);
}}

/* Takes the next {CHUNK} frames; gives the scores of the last {STEPS}. Inputs and outputs share memory, so
 * everything is written before the layers run, and read behind them. */
static inline void stream_step(stream *s, const int8_t *frames, int8_t *scores) {{
  memcpy(stream_input_{frames}(&s->model), frames, STREAM_INPUT_{frames}_ELEMENTS);
{each("memcpy(stream_input_{taken}(&s->model), s->{name}, sizeof s->{name});")}
  stream_invoke(&s->model);
  memcpy(scores, stream_output_{scores}(&s->model), STREAM_OUTPUT_{scores}_ELEMENTS);
{each("memcpy(s->{name}, stream_output_{given}(&s->model), sizeof s->{name});")}
}}

#endif /* STREAM_STEP_H */
"""


def emulated(
    model: edgesqueeze.TfliteModel, board: str, words: npt.NDArray[np.int8], *, steps: bool
) -> tuple[Scores, edgesqueeze.ProgramRun]:
    """What a form of the network says on an emulated board, and what that costs.

    Args:
        model: either form.
        board: what is emulated.
        words: as the network takes them [n, 40, 13], one behind the other.
        steps: whether it is the streaming form.

    Returns:
        Scores [n, 1, 12] of words, or [n, 10, 12] of each step; and the run, of two parts.
    """
    core = edgesqueeze.load_target(board).cpu.core
    name, program = (STREAM, STEPWISE) if steps else (NAME, WHOLE)
    files = {**edgesqueeze.emit_native(model, core=core, name=name).files, "emulated.c": program}
    files |= {"stream_step.h": step_in_c(model)} if steps else {}
    del files["main.c"]
    run = edgesqueeze.emulate_program(files, board, parts=PARTS, data=words.tobytes(), seconds=600)
    return np.frombuffer(run.output, np.int8).reshape(len(words), -1, CLASSES), run


def as_taken(model: edgesqueeze.TfliteModel, words: npt.NDArray[np.float32]) -> npt.NDArray[np.int8]:
    """Scaled features [n, 40, 13] as either form takes them."""
    inputs, _ = _names(model)
    place = inputs.index(FRAMES) if FRAMES in inputs else 0
    quantization = model.main.input_tensors[place].quantization
    assert quantization is not None
    whole = np.rint(words / quantization.scales[0]) + quantization.zero_points[0]
    return np.clip(whole, -128, 127).astype(np.int8)
