"""Executes the notebooks anew and stores the outputs of the cells that say something else.

Run from the root of the checkout: `python -m tests.notebooks [STEM ...]`; without a stem, all of
them. A cell whose output differs in its picture alone keeps what is stored. Without the folder that
`FEDBENCH_DATA` names, the cells on real data say that they were skipped.
"""

from __future__ import annotations

import argparse
import copy
import os
from pathlib import Path
from typing import Any
from unittest import mock

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[1] / "notebooks"
IGNORED, REAL = "nbval-ignore-output", "real-data"  # tags of cells
# Sums of floats depend on the order that the instruction set of a processor suggests, and training
# carries the last digit into the first. Stored outputs are made and compared with the instructions
# that all processors of the last ten years share. MKL promises equal bits on processors of Intel
# and AMD for COMPATIBLE alone; it makes the notebooks about a sixth slower.
INSTRUCTIONS = {
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_CBWR": "COMPATIBLE",
    "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "OPENBLAS_CORETYPE": "Haswell",
}
UNSAID = ("image/png", "application/vnd.jupyter.widget-view+json")


def execute(path: Path) -> list[str]:
    """Execute a notebook, store what differs and return the ids of the cells that did."""
    stored = nbformat.read(path, as_version=4)
    done = copy.deepcopy(stored)
    client = NotebookClient(
        done,
        timeout=600,
        kernel_name="python3",
        record_timing=False,
        resources={"metadata": {"path": str(path.parent)}},
    )
    with mock.patch.dict(os.environ, INSTRUCTIONS):
        client.execute()
    changed: list[str] = []
    for old, new in zip(stored.cells, done.cells, strict=True):
        if not _compared(old):
            continue
        new.outputs = [output for output in new.outputs if not _warned(output)]
        if _said(old.outputs) != _said(new.outputs):
            old.outputs = new.outputs
            changed.append(old.id)
    if changed:
        nbformat.write(stored, path)
    return changed


def pictures(cell: Any) -> int:
    """Return how many outputs of a cell are shown as a picture."""
    return sum("image/png" in output.get("data", {}) for output in cell["outputs"])


def _compared(cell: Any) -> bool:
    """Live cells end differently each time, and the workbench waits for whoever opens it."""
    tags = cell.metadata.get("tags", [])
    live = IGNORED in tags and REAL not in tags
    return cell.cell_type == "code" and cell.execution_count is not None and not live


def _warned(output: Any) -> bool:
    return output.output_type == "stream" and output.name == "stderr"


def _said(outputs: list[Any]) -> list[Any]:
    """What a reader can compare: all printed text, and data but pictures and names of widgets."""
    said: list[Any] = ["".join(o.text for o in outputs if o.output_type == "stream")]
    for output in outputs:
        if output.output_type != "stream":
            said.append({kind: d for kind, d in output.data.items() if kind not in UNSAID})
    return said


def main() -> None:
    """Execute the notebooks that the command line names."""
    stems = sorted(path.stem for path in FOLDER.glob("*.ipynb"))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stems", nargs="*", choices=[*stems, []], metavar="STEM")
    for stem in parser.parse_args().stems or stems:
        changed = execute(FOLDER / f"{stem}.ipynb")
        print(f"{stem}: {', '.join(changed) or 'nothing differs'}", flush=True)


if __name__ == "__main__":
    main()
