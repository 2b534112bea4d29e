"""Runs every mode into benchmarks/results: `python benchmarks/run.py`; the words after it are passed on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

RESULTS = Path(__file__).with_name("results")
RUNS = (
    "forward --threads 2",
    "forward --threads 1",
    "forward --threads 2 --data-format channels_first",
    "gradients --threads 2",
    "f64 --threads 2",
    "tiny --threads 2",
    "memory --threads 2",
    "scaling",
)


def main() -> int:
    """The number of runs in which something went wrong."""
    failed = 0
    for run in RUNS:
        print(f"\ntconv bench {run}", flush=True)
        command = [sys.executable, "-m", "tconv", "bench", *run.split(), "--output", str(RESULTS), *sys.argv[1:]]
        failed += subprocess.run(command, check=False).returncode != 0
    return failed


if __name__ == "__main__":
    sys.exit(main())
