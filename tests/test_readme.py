"""What the README shows runs as it stands there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.process

README = Path(__file__).parents[1] / "README.md"
FILES = "patients.csv"  # of a table that the reader has, and we have not


def test_the_code_of_the_readme_runs_from_top_to_bottom(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    program = tmp_path / "readme.py"
    program.write_text("\n".join(block for block in blocks if FILES not in block), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, program.name], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    table = done.stdout.split("\n")
    assert table[0].split() == ["round", "accuracy", "epsilon"]
    rounds, accuracy, epsilon = table[5].split()[1:]
    assert rounds == "30" and float(accuracy) > 0.8 and float(epsilon) <= 4
    assert sum(FILES in block for block in blocks) == 1
