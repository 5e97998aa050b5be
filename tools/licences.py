"""Write the licences of the locked packages, from the metadata of this environment, as a page.

python tools/licences.py docker/requirements.txt > docs/licences.md

Exit 1 where a licence is not known or not one of those that may be shipped with the image.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from importlib.metadata import PackageMetadata, PackageNotFoundError, metadata
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement

ACCEPTED: Final = frozenset(
    ("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "MIT", "MIT-0", "PSF-2.0", "Zlib")
)
"""Licences that ask for their text alone (SPDX)."""

ACCEPTED_OF: Final[Mapping[str, str]] = {"certifi": "MPL-2.0", "shtab": "MPL-2.0"}
"""Copyleft that was looked at: it holds for these packages' own files, which are shipped unchanged."""

_SPDX: Final[Mapping[str, str]] = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "Dual License": "Apache-2.0 OR BSD-3-Clause",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
"""What packages without an SPDX expression write."""


def locked(text: str) -> list[str]:
    """Return the names of the packages that a list of requirements has for Linux, each once."""
    lines = re.findall(r"^[A-Za-z0-9][^\\\n#]*", text, flags=re.MULTILINE)
    needed = [Requirement(line.strip()) for line in lines]
    linux = {"sys_platform": "linux"}
    return sorted({each.name for each in needed if each.marker is None or each.marker.evaluate(linux)})


def licence(package: str) -> str | None:
    """Return the SPDX expression of an installed package; None where it declares no licence.

    An expression counts alone. Else the text of the field counts where it is known, unless a classifier says
    otherwise. Raises PackageNotFoundError.
    """
    known = metadata(package)
    expression, text = (_field(known, name) for name in ("License-Expression", "License"))
    if expression:
        return expression
    classifiers = [
        _SPDX.get(each, each)
        for each in (
            line.rpartition(" :: ")[2]
            for line in known.get_all("Classifier") or []
            if line.startswith("License ::")
        )
    ]
    classified = " AND ".join(classifiers)
    if classified and (refused(package, classified) or not text or refused(package, text)):
        return classified
    return text


def _field(known: PackageMetadata, name: str) -> str | None:
    written = known.get_all(name)
    return _SPDX.get(written[0], written[0]) if written else None


def refused(package: str, expression: str) -> list[str]:
    """Return the licences of an expression that may not be shipped without a look at them."""
    if ACCEPTED_OF.get(package) == expression:
        return []
    # Of an OR one part is enough; of an AND every part counts.
    plain = re.sub(r"[()]", "", expression)
    choices = [re.split(r"\s+AND\s+", choice) for choice in re.split(r"\s+OR\s+", plain)]
    return min(([part for part in parts if part not in ACCEPTED] for parts in choices), key=len)


def page(found: Mapping[str, str]) -> str:
    """Return the page with one row a package."""
    rows = "\n".join(f"| {name} | {expression} |" for name, expression in found.items())
    return f"""# Licences

Made by `make lock`. What the image and an installed package have beside Spend Exporter (Apache-2.0), with the
licences that the packages declare. A test refuses a package whose licence is not known, or asks for more than
its text (copyleft) and was not looked at. That of certifi (certificate authorities) and of shtab (completion
in shells) holds for their own files, which are shipped unchanged.

| package | licence |
|---|---|
{rows}
"""


def main(requirements: Path) -> int:
    """Print the page; return 1 where a licence is refused."""
    found: dict[str, str] = {}
    for name in locked(requirements.read_text(encoding="utf-8")):
        try:
            expression = licence(name) or "not declared"
        except PackageNotFoundError:
            print(f"{name} is locked and not installed: run tools/locked.sh", file=sys.stderr)
            return 1
        if refused(name, expression):
            print(f"{name}: its licence is {expression[:80]!r}, not one of ACCEPTED", file=sys.stderr)
            return 1
        found[name] = expression
    sys.stdout.write(page(found))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
