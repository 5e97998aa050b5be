"""What root may do and an ordinary user may not, taken from the program that faults are tried on."""

from __future__ import annotations

import os
from collections.abc import Sequence


def powerless() -> Sequence[str]:
    """Return what starts a program that permissions hold for, also where root runs it."""
    if os.geteuid() != 0:
        return ()
    return ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--")
