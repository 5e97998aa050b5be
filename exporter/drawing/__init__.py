"""Charts as SVG: pure functions from numbers to markup that is safe in a page."""
