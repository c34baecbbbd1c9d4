"""What the README shows runs as it stands there."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.process

README = Path(__file__).parents[1] / "README.md"
ELSEWHERE = ("patients.csv", "tcp://scheduler")  # what the reader has, and we have not


def test_the_code_of_the_readme_runs_from_top_to_bottom(tmp_path: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    program = tmp_path / "readme.py"
    here = [block for block in blocks if not any(name in block for name in ELSEWHERE)]
    program.write_text("\n".join(here), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, program.name], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    table = done.stdout.split("\n")
    assert table[0].split() == ["round", "accuracy", "epsilon"]
    rounds, accuracy, epsilon = table[5].split()[1:]
    assert rounds == "30" and float(accuracy) > 0.8 and float(epsilon) <= 4
    assert len(blocks) - len(here) == len(ELSEWHERE)
