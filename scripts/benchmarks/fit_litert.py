"""Fit the latency model of LiteRT to published latencies, and print what follows for each target.

fit_litert.py            the fitted factors, and the section [latency] of each Linux and Android target
fit_litert.py --write    put the sections into the target files, in place of those that are there
"""

from __future__ import annotations

import argparse
import math
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from common import out, start, table
from litert_model import fit
from litert_priors import SPREADS
from litert_targets import TARGETS, latency_of, toml_of

from edgesqueeze.base.output import write_files
from edgesqueeze.target.load import shipped_folder

SECTION = re.compile(r"^\[latency\]$.*?(?=^\[\[sources\]\]$)", re.DOTALL | re.MULTILINE)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print or write the sections."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--write", action="store_true", help="put the sections into the target files")
    chosen = parser.parse_args(arguments)
    start("The latency model of LiteRT", "Fitted to scripts/benchmarks/published/litert.csv.")
    _print_factors()
    for name in TARGETS:
        text = toml_of(latency_of(name))
        file = shipped_folder() / f"{name}.toml"
        if chosen.write:
            _put(file, text)
            out.print(f"wrote {file}")
        else:
            out.print(f"\n[bold]{file.name}")
            out.print(text, markup=False, soft_wrap=True)
    return 0


def _print_factors() -> None:
    fitted = fit()
    table(
        ("factor", "times", "spread before"),
        [
            (", ".join(name), f"{math.exp(fitted.factor(*name)):.3f}", f"{SPREADS[name[0]]:.2f}")
            for name in fitted.names
        ],
    )


def _put(file: Path, section: str) -> None:
    """Replace a profile's section, or put it before the first source."""
    text = file.read_text(encoding="utf-8")
    if SECTION.search(text):
        text = SECTION.sub(lambda _: section + "\n", text, count=1)
    else:
        text = text.replace("[[sources]]\n", f"{section}\n[[sources]]\n", 1)
    write_files(file.parent, {file.name: text})


if __name__ == "__main__":
    sys.exit(main())
