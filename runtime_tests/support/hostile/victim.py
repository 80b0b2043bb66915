"""Opens model files as the command line does, one after the other, and says what became of each.

    python victim.py [SWITCH ...] <PATHS

Each switch turns one of the checks off, see ``switches``. A line of JSON comes for each path that comes.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from pathlib import Path
from typing import Any


def main(switches: list[str]) -> None:
    """Answer paths until there are no more."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    from edgesqueeze.squeeze.opening import load
    from runtime_tests.support.hostile.switches import turn_off

    for name in switches:
        turn_off(name)
    # What follows needs no second model: the checks of the rebuilt one are the business of other tests.
    load._adopt = lambda original, **known: original
    print(
        json.dumps({"ready": True, "rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}),
        flush=True,
    )
    for line in sys.stdin:
        print(json.dumps(_in_a_child(load, json.loads(line))), flush=True)


def _in_a_child(load: Any, path: str) -> dict[str, Any]:
    """Open one file where nothing has been opened before."""
    outer, inner = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(inner, json.dumps(_opened(load, path)).encode())
        finally:
            os._exit(0)
    os.close(inner)
    with os.fdopen(outer, "rb") as answer:
        told = json.loads(answer.read() or b'{"error": "killed", "message": "", "status": 70}')
    _, _, usage = os.wait4(child, 0)
    return {**told, "seconds": usage.ru_utime + usage.ru_stime, "rss": usage.ru_maxrss * 1024}


def _opened(load: Any, path: str) -> dict[str, Any]:
    from edgesqueeze.errors import EdgeSqueezeError

    try:
        load.load_model(Path(path))
    except EdgeSqueezeError as error:
        return {"error": type(error).__name__, "message": str(error)[:4000], "status": error.exit_code}
    except BaseException as error:
        return {"error": type(error).__name__, "message": str(error)[:4000], "status": 70}
    return {"error": "opens", "message": "", "status": 0}


if __name__ == "__main__":
    main(sys.argv[1:])
