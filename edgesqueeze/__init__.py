"""EdgeSqueeze: make a trained Keras model small and deployable, and prove that it still does its job.

A Keras model for a device

    compress         fold, prune, cluster, fine-tune, convert and check a model
    Compressed       what it made
    Report           what it did and found
    raise_if_not_ok  an error where the model does not fit or misses a limit
    Recipe           what to do to a model
    load_recipe      a recipe from a file
    parse_recipe     a recipe from nested dictionaries
    search           the recipe of the best model within limits
    SearchLimits     these limits
    Front            what a search found

A .tflite

    read_tflite      read one
    TfliteModel      what was read
    read_metadata    what one says to an app: names, labels, normalization
    Metadata         that
    run              what it says about samples, on any runtime
    verify           run it on several runtimes, compare it with its original
    Verification     what that found
    EvalData         samples to verify on

Firmware

    emit_native      C without a runtime
    NativeSource     its files, and the memory it needs
    emit_tflm        C++ for TensorFlow Lite Micro
    TflmSource       its files, and the memory it needs
    find_arena       measure the memory that TensorFlow Lite Micro needs
    Arena            that memory, and what it is made of
    tflm_array       the model's bytes without what TensorFlow Lite Micro does not read
    TflmArray        these bytes

Devices

    list_targets     all profiles
    load_target      one, by name or from a file
    Target           a profile: what a device has
    fit_to           whether a .tflite fits a target
    check_fit        whether a model's needs fit a target
    needs_of         what a model needs
    ModelNeeds       the same as a record
    Fit              what fits, with the numbers

Time

    bench            emulate or predict, as the target has it
    emulate          run native C in an emulator and count
    Emulation        what was counted
    emulate_program  the same for C of yours around a model, part by part
    ProgramRun       what was counted there
    predict          tell from the file alone
    Prediction       what was told, with its bounds
    measure          run it on a device
    measure_all      on several at once
    measure_browsers on phones and computers that open a page
    Page             how it is served, and to whom
    litert_js        LiteRT.js, which runs a .tflite in a browser, from npm
    LiteRtJs         its files
    Settings         how to measure
    Measurement      what was measured
    Failure          why nothing was
    parse_host       a board by its SSH name
    Host             a board that SSH reaches
    open_session     a connection to a board
    open_local       the same for this computer
    Session          that connection
    calibrate        make a profile of a device by measuring it
    Calibration      the profile and its file

Errors

    EdgeSqueezeError what every error on purpose is; edgesqueeze.errors has them all

A path may be text or a ``Path``. A model, a recipe or a target may be given by its path, a target also by
its name. For many recipes on one model, ``edgesqueeze.pipeline`` has the three steps of ``compress``:
``prepare``, ``squeeze`` and ``judge``. Each of these names is imported when it is used: ``import
edgesqueeze`` costs nothing, and only ``compress`` needs TensorFlow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgesqueeze import errors as errors
from edgesqueeze.base.lazy import Lazy

if TYPE_CHECKING:
    # What type checkers and editors see; a test compares it with the table below.
    from edgesqueeze.checks.verify import Verification as Verification
    from edgesqueeze.checks.verify import verify as verify
    from edgesqueeze.devices.browser.litert_js import LiteRtJs as LiteRtJs
    from edgesqueeze.devices.browser.litert_js import litert_js as litert_js
    from edgesqueeze.devices.browser.serve import Page as Page
    from edgesqueeze.devices.browser.serve import measure_browsers as measure_browsers
    from edgesqueeze.devices.measure import Settings as Settings
    from edgesqueeze.devices.measure import measure as measure
    from edgesqueeze.devices.measure import measure_all as measure_all
    from edgesqueeze.devices.records import Failure as Failure
    from edgesqueeze.devices.records import Measurement as Measurement
    from edgesqueeze.devices.session import Session as Session
    from edgesqueeze.devices.session import open_local as open_local
    from edgesqueeze.devices.session import open_session as open_session
    from edgesqueeze.devices.ssh_host import Host as Host
    from edgesqueeze.devices.ssh_host import parse_host as parse_host
    from edgesqueeze.emit.arena import Arena as Arena
    from edgesqueeze.emit.native.emit import emit_native as emit_native
    from edgesqueeze.emit.native.records import NativeSource as NativeSource
    from edgesqueeze.emit.tflm import TflmSource as TflmSource
    from edgesqueeze.emit.tflm import emit_tflm as emit_tflm
    from edgesqueeze.errors import EdgeSqueezeError as EdgeSqueezeError
    from edgesqueeze.explore.search import search as search
    from edgesqueeze.graph.metadata import Metadata as Metadata
    from edgesqueeze.graph.metadata import read_metadata as read_metadata
    from edgesqueeze.graph.read import read_tflite as read_tflite
    from edgesqueeze.graph.records import TfliteModel as TfliteModel
    from edgesqueeze.latency.predict import predict as predict
    from edgesqueeze.latency.prediction import Prediction as Prediction
    from edgesqueeze.pipeline import compress as compress
    from edgesqueeze.recipe.read import load_recipe as load_recipe
    from edgesqueeze.recipe.read import parse_recipe as parse_recipe
    from edgesqueeze.recipe.sections import Recipe as Recipe
    from edgesqueeze.report.front import Front as Front
    from edgesqueeze.report.front import SearchLimits as SearchLimits
    from edgesqueeze.report.report import Report as Report
    from edgesqueeze.report.report import raise_if_not_ok as raise_if_not_ok
    from edgesqueeze.report.result import Compressed as Compressed
    from edgesqueeze.runners.arena import find_arena as find_arena
    from edgesqueeze.runners.lean_array import TflmArray as TflmArray
    from edgesqueeze.runners.lean_array import tflm_array as tflm_array
    from edgesqueeze.runners.memory import fit_to as fit_to
    from edgesqueeze.runners.outputs import run as run
    from edgesqueeze.runners.samples import EvalData as EvalData
    from edgesqueeze.target.fit import Fit as Fit
    from edgesqueeze.target.fit import ModelNeeds as ModelNeeds
    from edgesqueeze.target.fit import check_fit as check_fit
    from edgesqueeze.target.load import list_targets as list_targets
    from edgesqueeze.target.load import load_target as load_target
    from edgesqueeze.target.needs import needs_of as needs_of
    from edgesqueeze.target.records import Target as Target
    from edgesqueeze.timing.bench import bench as bench
    from edgesqueeze.timing.calibrate import Calibration as Calibration
    from edgesqueeze.timing.calibrate import calibrate as calibrate
    from edgesqueeze.timing.emulate import emulate as emulate
    from edgesqueeze.timing.emulation import Emulation as Emulation
    from edgesqueeze.timing.program import ProgramRun as ProgramRun
    from edgesqueeze.timing.program import emulate_program as emulate_program

_PUBLIC = {
    "Arena": Lazy("edgesqueeze.emit.arena:Arena"),
    "Calibration": Lazy("edgesqueeze.timing.calibrate:Calibration"),
    "Compressed": Lazy("edgesqueeze.report.result:Compressed"),
    "EdgeSqueezeError": Lazy("edgesqueeze.errors:EdgeSqueezeError"),
    "Emulation": Lazy("edgesqueeze.timing.emulation:Emulation"),
    "EvalData": Lazy("edgesqueeze.runners.samples:EvalData"),
    "Failure": Lazy("edgesqueeze.devices.records:Failure"),
    "Fit": Lazy("edgesqueeze.target.fit:Fit"),
    "Front": Lazy("edgesqueeze.report.front:Front"),
    "Host": Lazy("edgesqueeze.devices.ssh_host:Host"),
    "LiteRtJs": Lazy("edgesqueeze.devices.browser.litert_js:LiteRtJs"),
    "Measurement": Lazy("edgesqueeze.devices.records:Measurement"),
    "Metadata": Lazy("edgesqueeze.graph.metadata:Metadata"),
    "ModelNeeds": Lazy("edgesqueeze.target.fit:ModelNeeds"),
    "NativeSource": Lazy("edgesqueeze.emit.native.records:NativeSource"),
    "Page": Lazy("edgesqueeze.devices.browser.serve:Page"),
    "Prediction": Lazy("edgesqueeze.latency.prediction:Prediction"),
    "ProgramRun": Lazy("edgesqueeze.timing.program:ProgramRun"),
    "Recipe": Lazy("edgesqueeze.recipe.sections:Recipe"),
    "Report": Lazy("edgesqueeze.report.report:Report"),
    "SearchLimits": Lazy("edgesqueeze.report.front:SearchLimits"),
    "Session": Lazy("edgesqueeze.devices.session:Session"),
    "Settings": Lazy("edgesqueeze.devices.measure:Settings"),
    "Target": Lazy("edgesqueeze.target.records:Target"),
    "TfliteModel": Lazy("edgesqueeze.graph.records:TfliteModel"),
    "TflmArray": Lazy("edgesqueeze.runners.lean_array:TflmArray"),
    "TflmSource": Lazy("edgesqueeze.emit.tflm:TflmSource"),
    "Verification": Lazy("edgesqueeze.checks.verify:Verification"),
    "bench": Lazy("edgesqueeze.timing.bench:bench"),
    "calibrate": Lazy("edgesqueeze.timing.calibrate:calibrate"),
    "check_fit": Lazy("edgesqueeze.target.fit:check_fit"),
    "compress": Lazy("edgesqueeze.pipeline:compress"),
    "emit_native": Lazy("edgesqueeze.emit.native.emit:emit_native"),
    "emit_tflm": Lazy("edgesqueeze.emit.tflm:emit_tflm"),
    "emulate": Lazy("edgesqueeze.timing.emulate:emulate"),
    "emulate_program": Lazy("edgesqueeze.timing.program:emulate_program"),
    "find_arena": Lazy("edgesqueeze.runners.arena:find_arena"),
    "fit_to": Lazy("edgesqueeze.runners.memory:fit_to"),
    "list_targets": Lazy("edgesqueeze.target.load:list_targets"),
    "litert_js": Lazy("edgesqueeze.devices.browser.litert_js:litert_js"),
    "load_recipe": Lazy("edgesqueeze.recipe.read:load_recipe"),
    "load_target": Lazy("edgesqueeze.target.load:load_target"),
    "measure": Lazy("edgesqueeze.devices.measure:measure"),
    "measure_all": Lazy("edgesqueeze.devices.measure:measure_all"),
    "measure_browsers": Lazy("edgesqueeze.devices.browser.serve:measure_browsers"),
    "needs_of": Lazy("edgesqueeze.target.needs:needs_of"),
    "open_local": Lazy("edgesqueeze.devices.session:open_local"),
    "open_session": Lazy("edgesqueeze.devices.session:open_session"),
    "parse_host": Lazy("edgesqueeze.devices.ssh_host:parse_host"),
    "parse_recipe": Lazy("edgesqueeze.recipe.read:parse_recipe"),
    "predict": Lazy("edgesqueeze.latency.predict:predict"),
    "raise_if_not_ok": Lazy("edgesqueeze.report.report:raise_if_not_ok"),
    "read_metadata": Lazy("edgesqueeze.graph.metadata:read_metadata"),
    "read_tflite": Lazy("edgesqueeze.graph.read:read_tflite"),
    "run": Lazy("edgesqueeze.runners.outputs:run"),
    "search": Lazy("edgesqueeze.explore.search:search"),
    "tflm_array": Lazy("edgesqueeze.runners.lean_array:tflm_array"),
    "verify": Lazy("edgesqueeze.checks.verify:verify"),
}

__all__ = [
    *sorted(_PUBLIC),
]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> Any:
        if name not in _PUBLIC:
            raise AttributeError(f"module 'edgesqueeze' has no attribute {name!r}")
        value = _PUBLIC[name].load()
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})
