"""Elements of SVG as text, escaped. Colours come from the classes that the page's style gives a meaning."""

from __future__ import annotations

from markupsafe import Markup, escape


def element(name: str, *children: Markup, **attributes: float | str) -> Markup:
    """Return an element; a `_` in an attribute's name is a hyphen, and one at its end is left out."""
    given = Markup("").join(
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), _value(value))
        for key, value in attributes.items()
    )
    return Markup("<{0}{1}>{2}</{0}>").format(Markup(name), given, Markup("").join(children))  # noqa: S704


def text(words: str) -> Markup:
    """Return text; characters that no document may have become a replacement character."""
    return escape(printable(words))


def picture(
    *children: Markup,
    width: float,
    height: float,
    title: str,
    desc: str,
    class_: str,
    stretched: bool = False,
) -> Markup:
    """Return a picture that is read out as its title and description.

    A `stretched` one fills its place in both directions.
    """
    return element(
        "svg",
        element("title", text(title)),
        element("desc", text(desc)),
        *children,
        viewBox=f"0 0 {width:g} {height:g}",
        preserveAspectRatio="none" if stretched else "xMidYMid meet",
        role="img",
        aria_label=f"{title}. {desc}",
        class_=class_,
    )


def printable(words: str) -> str:
    """Return the text without characters that no document may have."""
    return "".join(each if each.isprintable() or each == "\n" else "\ufffd" for each in words)


def _value(value: float | str) -> str:
    return printable(value) if isinstance(value, str) else f"{round(value, 2):g}"
