"""An experiment as the command line takes it: a TOML file and changes to it."""

from __future__ import annotations

from pathlib import Path

import tomlkit
from pydantic import ValidationError
from tomlkit.exceptions import TOMLKitError

from fedbench.cli.exits import refuse
from fedbench.config.overrides import OverrideError, override
from fedbench.config.problems import problems
from fedbench.experiment import Experiment


def read(file: Path, changes: list[str], allow_imports: bool) -> Experiment:
    """Return the experiment in `file` with `changes`, PATH=VALUE each; exit where there is none."""
    try:
        data = tomlkit.parse(file.read_text(encoding="utf-8")).unwrap()
    except OSError as error:
        refuse(f"{file} cannot be read: {error.strerror or error}")
    except UnicodeDecodeError as error:
        refuse(f"{file} is not UTF-8 text: {error.reason} at byte {error.start}")
    except TOMLKitError as error:
        line = getattr(error, "line", None)
        refuse(f"{file}{'' if line is None else f':{line}'}: {error}")
    try:
        for change in changes:
            override(Experiment, data, change, allow_imports=allow_imports)
        return Experiment.from_dict(data, allow_imports=allow_imports)
    except ValidationError as error:
        refuse(*map(str, problems(error)))
    except OverrideError as error:
        refuse(str(error))
