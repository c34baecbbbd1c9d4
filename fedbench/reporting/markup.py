"""HTML that is written by code: any text is escaped unless it was made here."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

EMPTY = ("meta", "br")  # elements without an end


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def tag(name: str, /, *content: object, **attributes: str) -> Html:
    """Return an element; what is no `Html` in it is text, and a trailing _ of a name is dropped."""
    words = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(value)}"'
        for key, value in attributes.items()
    )
    inner = "".join(text if isinstance(text, Html) else html.escape(str(text)) for text in content)
    return Html(f"<{name}{words}>" if name in EMPTY else f"<{name}{words}>{inner}</{name}>")


def together(parts: Iterable[Html]) -> Html:
    """Return elements one after another."""
    return Html("\n".join(parts))


def table(head: Sequence[object], rows: Iterable[Sequence[object]], caption: str) -> Html:
    """Return a table whose first column names its rows."""
    top = tag("tr", *(tag("th", each, scope="col") for each in head))
    body = [
        tag("tr", tag("th", row[0], scope="row"), *(tag("td", each) for each in row[1:]))
        for row in rows
    ]
    inner = (tag("caption", caption), tag("thead", top), tag("tbody", *body))
    return tag("div", tag("table", *inner), class_="scroll")


def folded(title: str, *content: object) -> Html:
    """Return something that opens on a click; in print it is open."""
    return tag("details", tag("summary", title), *content)
