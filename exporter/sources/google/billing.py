"""What every source of Google's bill shares: the provider and the zone of its billing days."""

from typing import Final

BILLS: Final = {"gcp": "Google Cloud, with Vertex AI and Gemini"}
"""The provider, with what people call its money."""

TIMEZONE: Final = "America/Los_Angeles"
"""Google's billing days are Pacific days, by https://cloud.google.com/billing/docs/how-to/reports."""
