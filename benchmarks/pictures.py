"""Draws what was measured: two bars for each way, the usual value and the slow one; logarithmic."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure


def bars(path: Path, title: str, values: Mapping[str, tuple[float, float]]) -> None:
    """Write a picture of pairs of values."""
    mpl.use("Agg")
    figure = Figure(figsize=(8, 0.6 * len(values) + 1.2), layout="constrained")
    axes = figure.subplots()
    names = list(values)
    for number, (usual, slow) in enumerate(values.values()):
        axes.barh(number + 0.2, slow, 0.35, color="#c5cfe0")
        axes.barh(number - 0.15, usual, 0.35, color="#3b64a8")
        axes.annotate(_text(usual), (usual, number - 0.15), va="center", fontsize=8)
        axes.annotate(_text(slow), (slow, number + 0.2), va="center", fontsize=8)
    axes.set_yticks(range(len(names)), names)
    axes.set_xscale("log")
    axes.invert_yaxis()
    axes.set_title(title, fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)


def _text(value: float) -> str:
    return f" {value:,.0f}" if value >= 100 else f" {value:.3g}"
