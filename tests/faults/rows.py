"""Every row of the matrix, in the order in which they happen to one program."""

from __future__ import annotations

from typing import Final

from tests.faults import (
    bad_files,
    encryption,
    hostile_clients,
    limits,
    outside,
    permissions,
    processes,
    providers,
    storage,
)
from tests.faults.fault import Fault

GROUPS: Final[tuple[tuple[str, tuple[Fault, ...]], ...]] = (
    ("Files", bad_files.ROWS),
    ("Providers", providers.ROWS),
    ("Clients", hostile_clients.ROWS),
    ("Ledger and disk", storage.ROWS),
    ("Permissions", permissions.ROWS),
    ("The web server's certificate", encryption.ROWS),
    ("Receivers and Prometheus", outside.ROWS),
    ("Limits of the system", limits.ROWS),
    ("Processes and configuration", processes.ROWS),
)
