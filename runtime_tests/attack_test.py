"""Hostile model files of every kind that is known: none runs code, reads, writes, calls out or never ends.

``edgesqueeze/squeeze/opening/README.md`` says what is promised. Each file is opened as the command line opens
it; the kernel watches the canaries. What must come is the error of the check that is there for it: that
another one would have stopped the file too is luck.
"""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from edgesqueeze.base.sandbox import landlock, seccomp
from edgesqueeze.base.worker import environment
from runtime_tests.support.hostile import bombs, configs, damaged, operators, polyglots, weights
from runtime_tests.support.hostile.attack import OPENS
from runtime_tests.support.hostile.canaries import watched
from runtime_tests.support.hostile.honest import ARMED, honest_models

pytestmark = pytest.mark.slow

HOSTILE = Path(__file__).parent / "support" / "hostile"
SUITES = (polyglots, configs, operators, weights, bombs, damaged)
ATTACKS = {f"{one.kind}: {one.name}": one for suite in SUITES for one in suite.ATTACKS}
MOST_SECONDS, MOST_BYTES = 10.0, 1 << 30
"""What a small file may cost, beyond what starting TensorFlow takes."""


class Victim:
    """A process that opens what it is told to."""

    def __init__(self, *switches: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(HOSTILE / "victim.py"), *switches],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**environment(), ARMED: "1", "CUDA_VISIBLE_DEVICES": "-1"},
        )
        self.rss = json.loads(self._process.stdout.readline())["rss"]

    def open(self, path):
        """What became of a file."""
        self._process.stdin.write(json.dumps(str(path)) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self):
        """End it."""
        self._process.stdin.close()
        self._process.wait()


@pytest.fixture(scope="module")
def watch(tmp_path_factory):
    with watched(tmp_path_factory.mktemp("canaries")) as found:
        yield found


@pytest.fixture(scope="module")
def honest(tmp_path_factory, watch):
    return honest_models(tmp_path_factory.mktemp("honest"), watch.canaries.written)


@pytest.fixture(scope="module")
def victim(honest):
    found = Victim()
    yield found
    found.close()


def test_there_are_enough_of_them():
    kinds = {one.kind for one in ATTACKS.values()}
    assert kinds == {"outside", "names", "operators", "weights", "bounds", "damage"}
    assert len(ATTACKS) >= 80


@pytest.mark.parametrize(
    "name",
    [
        *("keras3.keras", "keras3.h5", "tf_keras.keras", "tf_keras.h5", "operations.h5", "saved_model"),
        "exported",
    ],
)
def test_what_hostile_files_are_made_of_opens(honest, victim, watch, name):
    told = victim.open(honest.folder / name)
    assert (told["error"], told["message"]) == (OPENS, "")
    assert watch.tripped() == []


@pytest.mark.parametrize("name", ATTACKS)
def test_no_file_does_harm(tmp_path, honest, victim, watch, name):
    attack = ATTACKS[name]
    path = attack.make(tmp_path, honest, watch.canaries)
    assert watch.tripped() == [], "making the file is harmless"
    told = victim.open(path)
    assert watch.tripped() == []
    assert told["error"] in attack.error.split("|"), told
    assert told["status"] in (0, 2), told
    assert re.search(attack.words, told["message"]), told
    assert told["message"].replace("\n", "").isprintable()
    assert told["seconds"] <= MOST_SECONDS, told
    assert told["rss"] - victim.rss <= MOST_BYTES, told


needs_confinement = pytest.mark.skipif(
    not (seccomp.available() and landlock.abi()), reason="this kernel cannot confine a process"
)

# One attack of each kind, and what comes when the check that is there for it is switched off.
TELLING = {
    "names": "names: CVE-2025-12058: as a layer",
    "operators": "operators: the operator DebugIdentityV2",
    "outside": "outside: bytes behind a ZIP",
    "weights": "weights: CVE-2026-1669: numbers in another file, tf_keras_h5",
    "bounds": "bounds: weights of zeros, packed",
}


# Others of a kind, in which another check looks.
ALSO_TELLING = ("operators", "operators: a function that writes when it is called")


@needs_confinement
@pytest.mark.parametrize(("kind", "name"), [*TELLING.items(), ALSO_TELLING])
def test_the_suite_notices_when_a_check_is_missing(tmp_path, honest, watch, kind, name):
    attack = ATTACKS[name]
    victim = Victim(kind)
    told = victim.open(attack.make(tmp_path, honest, watch.canaries))
    victim.close()
    stopped_by_it = told["error"] in attack.error.split("|") and re.search(attack.words, told["message"])
    assert not stopped_by_it, told
    assert watch.tripped() == [], "the confined process holds what the check lets through"


@needs_confinement
@pytest.mark.parametrize("name", [TELLING["names"], TELLING["operators"], ALSO_TELLING[1]])
def test_the_canaries_see_what_gets_through(tmp_path, honest, watch, name):
    """Without the check and without the confinement the file does what it wants: so both count."""
    attack = ATTACKS[name]
    victim = Victim(attack.kind, "sandbox")
    victim.open(attack.make(tmp_path, honest, watch.canaries))
    victim.close()
    assert watch.tripped() != []
    shutil.rmtree(watch.canaries.written, ignore_errors=True)
    watch.tripped()
