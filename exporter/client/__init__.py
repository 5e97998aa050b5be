"""Ask a running exporter from Python: `from exporter.client import SpendClient`."""

from exporter.client.access import Access
from exporter.client.answers import CostRow, Costs
from exporter.client.client import SpendClient
from exporter.client.errors import AccessError, BusyError, SpendError, UnreachableError
from exporter.metrics.summary_schema import Summary
from exporter.questions.explain_answer import ExplainAnswer
from exporter.questions.problem import QuestionError

__all__ = [
    "Access",
    "AccessError",
    "BusyError",
    "CostRow",
    "Costs",
    "ExplainAnswer",
    "QuestionError",
    "SpendClient",
    "SpendError",
    "Summary",
    "UnreachableError",
]
