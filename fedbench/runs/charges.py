"""What rounds cost of privacy, on disk before they are computed: a killed run has paid for them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from fedbench.privacy import Ledger, Ledgers
from fedbench.runs.pace import Pace

CHARGES = "charges.jsonl"  # one line a round that began since the checkpoint


class Charges:
    """Appends the cost of each round to a file in `folder`, until a checkpoint has it.

    A line outlives the process as soon as it is written, however that ends. It is forced to the
    disk, so that it outlives the machine as well, as often as that takes one part in 67 of the
    time: after every round that lasts longer than about 0.2 s.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / CHARGES
        self._last = 0
        self._sync = Pace(0.0, 67)

    def add(self, number: int, cost: Ledger | Ledgers) -> None:
        """Write that the round charged as the `number`th of its run begins. Raises OSError."""
        line = json.dumps({"number": number, "cost": cost.to_dict()}, allow_nan=False) + "\n"
        with self.path.open("ab") as file:
            file.write(line.encode())
            file.flush()
            if self._sync.due:
                with self._sync.measured():
                    os.fsync(file.fileno())
        self._last = number

    def settle(self, number: int) -> None:
        """Remove the file where a checkpoint has the first `number` charges, which are all."""
        if self._last <= number:
            self.path.unlink(missing_ok=True)


def charges(folder: Path) -> dict[int, Ledger | Ledgers]:
    """Return the costs of the rounds in the file of `folder`, by their number.

    Raises OSError and, for a file that is damaged, ValueError, KeyError or TypeError.
    """
    try:
        text = (folder / CHARGES).read_bytes()
    except FileNotFoundError:
        return {}
    *lines, _ = text.split(b"\n")  # the last is empty, or of a round that had not begun
    found = [json.loads(line) for line in lines]
    return {int(each["number"]): ledger_of(each["cost"]) for each in found}


def extended(ledger: Ledger | Ledgers, cost: Ledger | Ledgers) -> Ledger | Ledgers:
    """Return a ledger after some releases more. Raises ValueError for the other kind of ledger."""
    if type(ledger) is not type(cost):
        raise ValueError(f"{CHARGES} has another kind of accounting than the checkpoint")
    return ledger.extended(cost)


def ledger_of(data: dict[str, Any]) -> Ledger | Ledgers:
    """Restore what `to_dict` of either kind of ledger gave. Raises ValueError."""
    return Ledgers.from_dict(data) if "clients" in data else Ledger.from_dict(data)
