"""A table of one's own on the form: uploaded, looked at, and its columns given roles."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

import ipywidgets as widgets

from fedbench.config.problems import Problem
from fedbench.config.spec import Part
from fedbench.data import Natural, Table, TableError, TableFacts
from fedbench.data.own import uploads
from fedbench_widgets.cells import made
from fedbench_widgets.guessing import likely_roles
from fedbench_widgets.upload import TablePicker

LARGEST = 200_000_000  # bytes; what is larger is better put beside the notebook
SINGLE = ("target", "client", "time", "unit")  # roles that one column can have
FEATURE, OUT = "feature", "not used"
EXAMPLES = 3
MOST_LOOKED_AT = 100_000  # rows that a role is guessed from


class Filled(Protocol):
    """The form, as far as its data go."""

    def put(self, **parts: Part) -> None:
        """Show other parts, as if a person had chosen them."""

    def reads(self) -> dict[str, Any]:
        """Return all fields as plain data."""
        ...


class Own:
    """Puts what the picker sends on the form, and shows in the picker what is on the form."""

    def __init__(self, form: Filled) -> None:
        self.picker = made(TablePicker)
        # an anywidget takes no classes once it is drawn: what is hidden and shown is around it
        self.widget = made(widgets.VBox, [self.picker])
        self.picker.roles = [FEATURE, *SINGLE, OUT]
        self.picker.on_msg(self._heard)
        self._form = form
        self._inside: dict[str, Any] = {}  # what is in the table: for the page, and not to be saved
        self._guessed = ""
        self._token = ""
        with suppress(OSError):
            uploads.remove_stale()
        self._content = bytearray()

    @property
    def table(self) -> Table | None:
        """Return the table on the form, None while the form has other data."""
        data = dict(self._form.reads()["data"])
        if data.pop("kind", None) != Table.kind():
            return None
        try:
            return Table.from_dict(data)
        except ValueError:  # a field that is wrong says so itself
            return None

    @property
    def step(self) -> str:
        """Return what is to be chosen next, before anything can be wrong; empty if all is."""
        table = self.table
        if table is None:
            return ""
        if not table.path:
            return "Choose a file to begin."
        try:
            table.head(1)
        except TableError:  # which is a problem, and no step that is to come
            return ""
        return "" if table.target else "Choose the column to predict: give it the role target."

    def show(self, problems: Sequence[Problem] = ()) -> None:
        """Show the columns of the table on the form, what each is taken for and what is wrong.

        What a cell holds, also in a message, travels beside the widget's state, which notebooks
        save.
        """
        table = self.table
        facts, columns = None, []
        if table is not None:
            with suppress(TableError):
                facts = table.facts
            with suppress(TableError):
                columns = _columns(table, facts)
        inside = {each["name"]: each.pop("words") for each in columns}
        self._inside = {
            "columns": inside,
            "cautions": [] if facts is None else list(facts.cautions),
            "problem": "" if self.step else "; ".join(each.message for each in problems),
        }
        with self.picker.hold_sync():
            self.picker.columns = columns
            self.picker.chosen = table is not None
            self.picker.file = "" if table is None or not table.path else Path(table.path).name
            self.picker.words = self.step or _words(table, facts, len(columns))
            if self._guessed and table is not None:
                self.picker.words += f" {self._guessed}"
        self._tell()

    def _tell(self) -> None:
        self.picker.send({"inside": self._inside})

    def _heard(self, _: object, content: dict[str, Any], buffers: Sequence[memoryview]) -> None:
        if "part" in content and buffers:
            self._take(content["part"], bytes(buffers[0]))
        elif "role" in content:
            self._give(str(content["role"]["column"]), str(content["role"]["role"]))
        elif "look" in content:
            self._tell()

    def _take(self, part: dict[str, Any], content: bytes) -> None:
        """Take one part of a file; with the last one the file is on the form."""
        token, size = str(part["token"]), int(part["size"])
        if token != self._token:
            self._token, self._content = token, bytearray()
        if part["at"] != len(self._content):
            return
        if size > LARGEST:
            self._refuse(
                token,
                size,
                f"{part['name']} has {size / 1e6:,.0f} MB; put it next to the notebook and type "
                f"its name as File: up to {LARGEST / 1e6:,.0f} MB can be uploaded here",
            )
            return
        self._content += content
        if len(self._content) < size:
            self.picker.received = {"token": token, "at": len(self._content)}
            return
        try:
            place = uploads.keep_upload(str(part["name"]), bytes(self._content))
        except (TableError, OSError) as error:
            self._refuse(token, size, str(error))
            return
        finally:
            self._content = bytearray()
        self._put(str(place))
        self.picker.received = {"token": token, "at": size}

    def _put(self, path: str) -> None:
        """Put a file on the form: with the roles of the one before where it has these columns."""
        before, names = self.table, set[str]()
        fresh = Table(path=path)
        with suppress(TableError):
            names = {str(name).strip() for name in fresh.head(1).columns}
        fields: dict[str, Any] = {"path": path}
        if before is not None and before.target:
            kept = {name: getattr(before, name) for name in SINGLE if getattr(before, name)}
            if names >= {*kept.values(), *before.ignore}:
                fields |= kept | {"ignore": before.ignore, "decimal": before.decimal}
        self._guessed = ""
        if "target" not in fields:
            with suppress(TableError):
                guess = likely_roles(fresh.head(MOST_LOOKED_AT))
                fields |= guess
                said = " and ".join(f"{name} as {role}" for role, name in guess.items())
                self._guessed = f"Guessed: {said}; change a role below." if said else ""
        more = {"partition": Natural()} if "client" in fields else {}
        self._form.put(data=Table(**fields), **more)

    def _refuse(self, token: str, size: int, why: str) -> None:
        """Say why a file is not taken; what is on the form stays."""
        file = f"; still using {self.picker.file}" if self.picker.file else ""
        self._inside["problem"] = f"{why}{file}"
        self._tell()
        self.picker.received = {"token": token, "at": size}

    def _give(self, column: str, role: str) -> None:
        """Give a column a role; of roles that only one can have, it is taken from another."""
        table = self.table
        if table is None:
            return
        fields = {name: getattr(table, name) for name in type(table).model_fields}
        for name in SINGLE:
            if fields[name] == column:
                fields[name] = ""
        ignored = [name for name in fields["ignore"] if name != column]
        if role in SINGLE:
            fields[role] = column
        elif role == OUT:
            ignored.append(column)
        fields["ignore"] = tuple(ignored)
        if role == "target":
            del fields["task"]  # to be inferred
        self._guessed = ""
        more = {"partition": Natural()} if role == "client" else {}
        self._form.put(data=Table(**fields), **more)


def _columns(table: Table, facts: TableFacts | None) -> list[dict[str, str]]:
    if facts is not None:
        return [
            {
                "name": each.name,
                "role": FEATURE if each.role in ("number", "category") else each.role,
                "words": " · ".join(
                    [
                        each.role if each.role in ("number", "category") else each.why,
                        *([f"{each.missing} missing"] if each.missing else []),
                        ", ".join(each.examples),
                    ]
                ),
            }
            for each in facts.columns
        ]
    head = table.head(EXAMPLES)
    named = {name: role for role in SINGLE if (name := getattr(table, role))}
    named |= dict.fromkeys(table.ignore, OUT)
    return [
        {
            "name": str(name),
            "role": named.get(str(name), FEATURE),
            "words": ", ".join(str(value) for value in head.iloc[:, k]),
        }
        for k, name in enumerate(head.columns)
    ]


def _words(table: Table | None, facts: TableFacts | None, columns: int) -> str:
    if table is None or facts is None:
        return ""
    told = f"{len(facts.classes)} classes" if facts.classes else "a number"
    clients = f", {len(facts.clients)} clients" if facts.clients else ""
    return f"{facts.rows:,} rows, {columns} columns{clients}; {table.target} is {told}."
