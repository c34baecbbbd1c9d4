"""What is said about a table: what is refused, and what is allowed but should be known."""

from __future__ import annotations

from dataclasses import dataclass

HIDDEN = "…"


class TableError(ValueError):
    """A table that cannot be used; `field` names the setting, the message says what would be right.

    `public` is the message without the cells of the table that it quotes.
    """

    def __init__(self, field: str, reason: str, *cells: str) -> None:
        super().__init__(reason)
        self.field = field
        self.public = without(reason, cells)


@dataclass(frozen=True)
class Doubt:
    """Something odd about a table that is allowed; `cells` are those that `text` quotes."""

    text: str
    cells: tuple[str, ...] = ()

    @property
    def public(self) -> str:
        """Return the text without the cells of the table that it quotes."""
        return without(self.text, self.cells)


def without(text: str, cells: tuple[str, ...]) -> str:
    """Return `text` with an ellipsis in place of each of `cells`."""
    for cell in cells:
        text = text.replace(cell, HIDDEN) if cell else text
    return text
