"""The stored outputs of notebooks are compared under one instruction set."""

from __future__ import annotations

import os
from collections.abc import Generator
from unittest import mock

import pytest

from tests.notebooks import INSTRUCTIONS


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Generator[None]:
    """The kernel of a notebook, and whatever it starts, sees the shared instructions only."""
    with mock.patch.dict(os.environ, INSTRUCTIONS):
        yield
