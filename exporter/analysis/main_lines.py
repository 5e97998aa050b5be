"""Which lines are estimated on their own, so that memory and time stay bounded however long the bill is.

The rest of each service is estimated together: sums stay what they are.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from exporter.analysis.cost_history import Line

REST = "other"


def main_lines(
    weights: Mapping[Line, float], most_lines: int, keep: Collection[Line] = ()
) -> dict[Line, Line]:
    """Map each line to the one that it is estimated as: itself, or the rest of its account's service.

    `weights` says how much a line matters (dollars moved). Those in `keep` (whose live usage is known) stay
    in any case; the heaviest take what is left of the `most_lines` places.
    """
    ranked = sorted(weights, key=lambda line: (line not in keep, -weights[line], line))
    own = {*ranked[:most_lines], *keep}
    return {
        line: line if line in own else Line(line.billing_account_id, REST, line.service_name, REST)
        for line in weights
    }
