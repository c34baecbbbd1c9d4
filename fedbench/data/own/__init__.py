"""Tables of your own."""

from fedbench.data.own.doubts import TableError
from fedbench.data.own.facts import TableFacts
from fedbench.data.own.roles import ColumnFacts
from fedbench.data.own.table import Table

__all__ = ["ColumnFacts", "Table", "TableError", "TableFacts"]
