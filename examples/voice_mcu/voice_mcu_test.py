"""The example with a network of a minute's training on words made here: nothing is fetched."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import edgesqueeze
from examples.common.output import write_firmware
from examples.voice_mcu import features, stream
from examples.voice_mcu.detector import listen
from examples.voice_mcu.firmware_folder import firmware_files, quantizer_of
from examples.voice_mcu.measure import (
    classical,
    decide,
    emulated,
    heard_by_twin,
    joined,
    least_score,
    scores_of,
    share,
)
from examples.voice_mcu.run import HERE
from examples.voice_mcu.voices import SILENCE, UNKNOWN
from runtime_tests.support.tools import require_tool

STRICT = ("-std=c99", "-O2", "-Wall", "-Wextra", "-Werror")
FRONT_END = """\
#include <stdio.h>
#include "mfcc.h"
int main(void) {
  static int16_t samples[MFCC_WINDOW];
  static mfcc_frame frames[64];
  static int32_t result[64][MFCC_COEFFICIENTS];
  int count = 0;
  while (fread(samples, sizeof samples, 1, stdin) == 1) mfcc_bands(samples, &frames[count++]);
  mfcc_coefficients(frames, count, result);
  fwrite(frames, sizeof frames[0], (size_t)count, stdout);
  fwrite(result, sizeof result[0], (size_t)count, stdout);
  return 0;
}
"""


def a_word(rng, seconds=0.4):
    """A buzz that glides and swells."""
    time = np.arange(int(seconds * features.RATE)) / features.RATE
    pitch = rng.uniform(90, 250) * (1 + rng.uniform(-0.5, 1) * time / seconds)
    buzz = np.tanh(6 * np.sin(2 * np.pi * np.cumsum(pitch) / features.RATE)) + rng.normal(0, 0.2, len(time))
    return (0.3 * buzz * np.hanning(len(time))).astype(np.float32)


def extremes(rng):
    """Windows [n, 400]: silence, the loudest there is, noise, and a tone too faint to hear."""
    rows = [np.zeros(400), np.full(400, 32767), np.full(400, -32768), rng.choice([-32768, 32767], 400)]
    rows += [rng.normal(0, level, 400) for level in (0.6, 30, 3000)]
    return np.clip(np.rint(rows), -32768, 32767).astype(np.int16)


def test_the_front_end_in_c_is_its_twin_in_python(tmp_path):
    compiler = require_tool("gcc", "gcc")
    for name in ("mfcc.c", "mfcc.h"):
        shutil.copy(HERE / "firmware" / name, tmp_path)
    (tmp_path / "mfcc_tables.h").write_text(features.tables_in_c())
    (tmp_path / "main.c").write_text(FRONT_END)
    watched = ("-fsanitize=undefined,address", "-fno-sanitize-recover")
    subprocess.run([compiler, *STRICT, *watched, "main.c", "mfcc.c", "-o", "run"], cwd=tmp_path, check=True)
    rng = np.random.default_rng(0)
    for windows in (features.frames_of(features.to_samples(a_word(rng, 1.2))), extremes(rng)):
        done = subprocess.run([tmp_path / "run"], input=windows.tobytes(), capture_output=True, check=True)
        levels = features.bands(windows)
        assert done.stdout == levels.tobytes() + features.coefficients(levels).astype(np.int32).tobytes()


def float_mfcc(sound):
    """What torchaudio computes: frames of 400, a power spectrum, HTK's mel bands, decibels, a DCT."""
    edges = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + 4000 / 700), 130) / 2595) - 1)
    hertz = np.linspace(0, 4000, 201)[:, None]
    up = (hertz - edges[:-2]) / (edges[1:-1] - edges[:-2])
    down = (edges[2:] - hertz) / (edges[2:] - edges[1:-1])
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    padded = np.pad(sound.astype(np.float64), 200, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, 400)[::200] * window
    power = np.abs(np.fft.rfft(frames)) ** 2 @ np.maximum(0, np.minimum(up, down))
    decibels = 10 * np.log10(np.maximum(power, 1e-10))
    decibels = np.maximum(decibels, decibels.max() - 80)
    angle = np.pi / 128 * (np.arange(128)[:, None] + 0.5) * np.arange(13)
    return decibels @ (np.cos(angle) * np.where(np.arange(13), np.sqrt(2 / 128), np.sqrt(1 / 128)))


def test_the_features_are_those_of_the_recordings():
    rng = np.random.default_rng(1)
    sound = a_word(rng, 0.8) + rng.normal(0, 1e-3, 6400)
    sound = features.to_samples(sound) / np.float32(32768)
    # A hundredth of what one digit differs from another by.
    assert np.abs(features.mfcc(sound) - float_mfcc(sound)).max() < 0.2


def test_a_word_stands_in_a_second_of_its_quietest_frame():
    word = np.arange(5 * 13).reshape(5, 13) * 10
    seen = features.word_features(word)
    assert seen.shape == (40, 13)
    assert np.array_equal(seen[17:22, 1:], word[:, 1:] - word[:, 1:].mean(0))
    assert seen[:, 0].max() == 0
    assert np.array_equal(seen[:17], np.repeat(seen[17:18], 17, 0))
    assert features.word_features(np.arange(60 * 13).reshape(60, 13)).shape == (40, 13)


def test_the_detector_finds_words_and_leaves_sentences_alone():
    rng = np.random.default_rng(2)
    sounds = [a_word(rng), a_word(rng, 3.0), a_word(rng, 0.6)]
    heard = list(listen(features.to_samples(joined(sounds))))
    assert [one.features is not None for one in heard] == [True, False, True]
    assert list(listen(features.to_samples(joined([np.zeros(8000, np.float32)])))) == []


def test_what_is_not_clear_is_unknown():
    scores = np.full((4, 12), -128, np.int8)
    scores[0, 3], scores[1, 4], scores[2, UNKNOWN], scores[3, SILENCE] = 100, -20, 50, 90
    assert decide(scores, 0).tolist() == [3, UNKNOWN, UNKNOWN, SILENCE]
    digits = np.full((100, 12), -128, np.int8)
    digits[np.arange(100), 5] = np.arange(100)
    # Four of five must pass, whatever other words and noises do.
    classes = np.where(np.arange(110) < 100, 5, UNKNOWN)
    scores = np.concatenate([digits, np.full((10, 12), 90, np.int8)])
    assert np.sum(decide(digits, least_score(scores, classes)) < UNKNOWN) == 80
    assert np.sum(decide(digits, least_score(scores, classes, 0.95)) < UNKNOWN) == 95


def test_shares_have_the_bounds_of_wilson():
    assert share(np.arange(100) < 85) == (85.0, 76.7, 90.7)


def test_another_vocal_tract_moves_a_resonance():
    from examples.voice_mcu.train import TRACTS, Scaling, tracts

    bands = np.arange(features.BANDS)
    cosines = features.TABLES.cosines / np.linalg.norm(features.TABLES.cosines, axis=1, keepdims=True)
    deviation = np.linspace(30, 5, 13)
    spoken = cosines @ (40 * np.exp(-(((bands - 70) / 12) ** 2)))
    matrices = tracts(Scaling(np.zeros(13), deviation))
    peaks = [int((cosines.T @ (matrix @ (spoken / deviation) * deviation)).argmax()) for matrix in matrices]
    assert peaks == sorted(peaks, reverse=True)
    assert abs(peaks[TRACTS // 2] - 70) <= 1
    # 12 % of a frequency in the middle of the scale are several bands.
    assert peaks[0] - 70 > 4 and 70 - peaks[-1] > 4


def test_the_classical_method_tells_easy_words_apart():
    rng = np.random.default_rng(5)
    digits = rng.normal(size=(10, 40, 13))
    classes = np.arange(200) % 11
    words = digits[classes % 10] + rng.normal(0, 0.3, (200, 40, 13))
    asked = digits + rng.normal(0, 0.3, digits.shape)
    assert classical(words.astype(np.float32), classes, asked.astype(np.float32)).tolist() == list(range(10))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A network that has seen a few words, as ``run`` compresses it."""
    from examples.voice_mcu.train import scaling_of, train

    folder = tmp_path_factory.mktemp("voice")
    rng = np.random.default_rng(3)
    frames = [features.frames_of(features.to_samples(a_word(rng))) for _ in range(256)]
    words = np.stack([features.word_features(features.coefficients(features.bands(one))) for one in frames])
    decibels = (words / features.UNIT).astype(np.float32)
    classes = np.arange(256) % 12
    scaling = scaling_of(decibels)
    train(scaling(decibels), classes, scaling, epochs=1, seed=0).save(folder / "digits.keras")
    edgesqueeze.compress(
        folder / "digits.keras",
        target="nano33ble-sense",
        data=scaling(decibels),
        out=folder / "out",
        recipe=edgesqueeze.parse_recipe({"quantize": {"mode": "int8", "io": "int8"}}),
    )
    model = edgesqueeze.read_tflite(folder / "out" / "model.tflite")
    return model, quantizer_of(model, *scaling), decibels, scaling, folder


@pytest.mark.slow
def test_the_whole_pipeline_on_a_board_is_its_twin(trained):
    require_tool("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    require_tool("qemu-system-arm", "qemu-system-arm")
    model, quantizer, decibels, scaling, _ = trained
    (float_in,) = edgesqueeze.run(model, scaling(decibels[:8]))
    (integers_in,) = edgesqueeze.run(model, quantizer(np.rint(decibels[:8] * 256).astype(np.int64)))
    assert np.abs(float_in - integers_in).max() < 0.05

    rng = np.random.default_rng(4)
    samples = features.to_samples(joined([a_word(rng), a_word(rng, 2.0), a_word(rng, 0.5)]))
    expected = heard_by_twin(model, quantizer, -128, samples)
    assert sum(expected >= 0) == 3
    heard, ran = emulated(firmware_files(model, "cortex-m4", quantizer, -128), "nano33ble-sense", samples)
    assert np.array_equal(heard, expected)
    assert [part.instructions > 0 for part in ran.parts] == [True] * 4


@pytest.mark.slow
def test_the_network_step_by_step_decides_as_the_whole_one(trained, tmp_path):
    require_tool("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    require_tool("qemu-system-arm", "qemu-system-arm")
    import keras

    model, _, decibels, scaling, folder = trained
    words = scaling(decibels[:60])
    whole = keras.models.load_model(folder / "digits.keras")
    network = stream.streaming(whole)
    nothing = stream.nothing_kept(network)

    def say(arrays):
        return network.predict([arrays[one.name] for one in network.inputs], verbose=0)

    likely, given = stream.step_by_step(say, nothing, words)
    np.testing.assert_allclose(likely, whole.predict(words, verbose=0), atol=1e-6)
    # A network without a memory would say the same of the last step alone.
    assert (
        np.abs(np.asarray(say({**given[-1], **given[0], "frames": given[-1]["frames"]})[0]) - likely).max()
        > 1e-3
    )
    integers = stream.compressed(network, tmp_path, words, "nano33ble-sense")
    scores = stream.scores_behind(integers, nothing, words)
    assert np.mean(scores.argmax(1) == scores_of(model, words).argmax(1)) > 0.9
    # One word behind the other, and nothing is forgotten between them: 40 frames later it plays no part.
    heard, ran = stream.emulated(
        integers, "nano33ble-sense", stream.as_taken(integers, words[:4]), steps=True
    )
    assert np.array_equal(heard[:, -1], scores[:4])
    assert ran.parts[1].instructions > 1e5


@pytest.mark.slow
def test_the_firmware_compiles_for_the_board_without_a_warning(trained, tmp_path):
    compiler = require_tool("arm-none-eabi-gcc", "gcc-arm-none-eabi")
    model, quantizer, *_ = trained
    files = firmware_files(model, "cortex-m4", quantizer, 0)
    write_firmware(tmp_path, files)
    core = ("-mcpu=cortex-m4", "-mthumb", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard")
    places = [f"-I{folder}" for folder in {str(Path(name).parent) for name in files}]
    for name in ("main.c", "voice.c", "mfcc.c"):
        command = [compiler, *STRICT, *core, *places, "-c", name, "-o", "object.o"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_the_readme_names_every_file_and_has_the_figures_that_were_measured():
    text = (HERE / "README.md").read_text()
    for path in (path for folder in (HERE, HERE / "firmware") for path in folder.iterdir()):
        if path.is_file() and path.name not in ("README.md", "voice_mcu_test.py"):
            assert path.name in text, path.name
    measured = json.loads((HERE / "results.json").read_text())
    for seed in measured["seeds"]:
        assert re.search(rf"\b{seed['ten']['percent']} %", text)
    for board in measured["boards"].values():
        assert f"{board['processor_percent']} %" in text
        assert f"{board['flash_bytes']:,}" in text
        assert f"{board['ram_bytes']:,}" in text
    assert f"{measured['classical']['percent']} %" in text
    for form in ("word", "step"):
        assert f"| {measured['stream'][form]['ms_estimate']} (" in text
    assert f"{measured['stream']['same_digit_percent']} %" in text and measured["stream"]["equals_python"]
