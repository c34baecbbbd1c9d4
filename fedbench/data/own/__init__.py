"""Tables of one's own."""

from fedbench.data.own.facts import ColumnFacts, TableFacts
from fedbench.data.own.reading import TableError
from fedbench.data.own.table import Table

__all__ = ["ColumnFacts", "Table", "TableError", "TableFacts"]
