"""Every metric family of the exporter, declared once, in the file of its theme.

A new metric is one declaration there; the metric reference and the exposition follow from it.
"""

from exporter.metrics.families.declaration import Family as Family
from exporter.metrics.families.declaration import FamilySamples as FamilySamples

# The order of the metric reference.
# isort: off
from exporter.metrics.families.bill import *
from exporter.metrics.families.attribution import *
from exporter.metrics.families.nowcast import *
from exporter.metrics.families.live_usage import *
from exporter.metrics.families.llm import *
from exporter.metrics.families.savings import *
from exporter.metrics.families.budgets import *
from exporter.metrics.families.unusual_cost import *
from exporter.metrics.families.exporter import *
from exporter.metrics.families.remote_write import *
# isort: on


def all_families() -> tuple[Family, ...]:
    """Return every declared family, theme by theme, in the order of declaration."""
    return tuple(value for value in globals().values() if isinstance(value, Family))
