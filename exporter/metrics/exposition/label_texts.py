"""Label values to the text between a sample's name and its value, and what both formats escape in texts."""

from __future__ import annotations


class LabelTexts(dict[tuple[str, ...], str]):
    """From label values to `{name="value",…}`, built when the values first occur.

    Families with the same labels share one, because most of them have the same series.
    """

    def __init__(self, labels: tuple[str, ...]) -> None:
        super().__init__()
        self._labels = labels
        self._template = "{" + ",".join(f'{name}="%s"' for name in labels) + "}" if labels else ""
        self._quotes = 2 * len(labels)
        self._escaped: dict[str, str] = {}

    def __missing__(self, values: tuple[str, ...]) -> str:
        if len(values) != len(self._labels):
            raise ValueError(f"label values {values!r} for the labels {self._labels!r}")
        text = self._template % values
        if not text.isascii() or "\\" in text or "\n" in text or text.count('"') != self._quotes:
            text = self._template % tuple([self._escape(value) for value in values])
        self[values] = text
        return text

    def _escape(self, value: str) -> str:
        escaped = self._escaped.get(value)
        if escaped is None:
            escaped = self._escaped[value] = escape_quoted(value)
        return escaped


def escape_quoted(value: str) -> str:
    """Return the value as both formats have it between quotes."""
    return well_formed(value).replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def well_formed(value: str) -> str:
    """Return the value with lone surrogates, which UTF-8 cannot encode, as U+FFFD."""
    if value.isascii():
        return value
    return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
