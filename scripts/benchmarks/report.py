"""How large the page of a report is, how long it takes to make, and how soon a browser shows it."""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

from common import start, table, verdict

RUNS = 7
MOST_BYTES = 1_500_000
MOST_MS = 1000.0


def main() -> int:
    """Run the benchmark; the exit status is 1 when a figure is missed."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    start(
        "report",
        f"""The page about an int8 network of 31 layers that tells ten classes apart, made as `edgesqueeze
        report` makes it and opened {RUNS} times in headless Chromium, as on a phone and on a desktop. Must be
        reached: at most {MOST_BYTES:,} bytes, and the first text or picture after {MOST_MS:.0f} ms in the
        median.""",
    )
    from edgesqueeze.report.page.page import write_page
    from runtime_tests.support.chromium import DESKTOP, PHONE, chromium, look_at
    from runtime_tests.support.compressed import deep_classifier, write_compressed

    with tempfile.TemporaryDirectory(prefix="edgesqueeze-bench-") as folder:
        write_compressed(Path(folder), deep_classifier(), classes=10)
        begin = time.perf_counter()
        page = write_page(folder)
        seconds = time.perf_counter() - begin
        size = page.stat().st_size
        with chromium() as port:
            look_at(port, page)
            paints = {
                name: [look_at(port, page, width=width).paint_ms for _ in range(RUNS)]
                for name, width in (("phone", PHONE), ("desktop", DESKTOP))
            }
    rows = [
        [name, f"{statistics.median(times):.0f}", f"{min(times):.0f}", f"{max(times):.0f}"]
        for name, times in paints.items()
    ]
    table(("first paint", "median, ms", "least, ms", "most, ms"), rows)
    slowest = max(statistics.median(times) for times in paints.values())
    missed = verdict(
        size <= MOST_BYTES, f"{size:,} bytes, made in {seconds:.1f} s (at most {MOST_BYTES:,} bytes)"
    )
    return missed | verdict(
        slowest <= MOST_MS, f"first paint after {slowest:.0f} ms (at most {MOST_MS:.0f} ms)"
    )


if __name__ == "__main__":
    sys.exit(main())
