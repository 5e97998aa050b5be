"""Fuzzing by hand: rounds of new examples of every property until the time is over or one fails.

`python -m tests.fuzz.longer MINUTES`, or `make fuzz MINUTES=10`. A failing example is kept in .hypothesis and
tried first the next time.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import time

EXAMPLES = 40
"""Of each property in a round."""


def main() -> int:
    """Run rounds; exit 1 at the first one that fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("minutes", type=float)
    ends = time.monotonic() + 60 * parser.parse_args().minutes
    rounds, code = 0, 0
    while code == 0 and (rounds == 0 or time.monotonic() < ends):
        rounds += 1
        seed = random.randrange(2**32)
        sys.stdout.write(f"round {rounds}, seed {seed}\n")
        sys.stdout.flush()
        command = ["-m", "pytest", "-q", "-x", "-n", "auto", f"--hypothesis-seed={seed}", "tests/fuzz"]
        environment = {**os.environ, "FUZZ_EXAMPLES": str(EXAMPLES)}
        code = subprocess.run([sys.executable, *command], env=environment, check=False).returncode
    sys.stdout.write(f"{rounds} rounds of {EXAMPLES} examples for each property\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
