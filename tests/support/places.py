"""Where the repository keeps what tests read."""

from pathlib import Path
from typing import Final

REPOSITORY: Final = Path(__file__).resolve().parents[2]
DOCS: Final = REPOSITORY / "docs"
DATA: Final = REPOSITORY / "tests" / "data"
