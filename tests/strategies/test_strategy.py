"""The defaults of the hooks are FedAvg."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

import fedbench as fb
from fedbench.strategies import RoundInfo, Strategy

INFO = RoundInfo(1, 0.1, 2, 2.0)


class Plain(Strategy):
    """Nothing of its own."""


def test_defaults() -> None:
    plain, params = Plain(), {"w": torch.tensor([1.0, 2.0])}
    delta = {"w": torch.tensor([0.5, -1.0])}
    assert list(plain.check(fb.Experiment(strategy=plain))) == []
    assert plain.init(params) == plain.init_client(params) == {}
    assert plain.adjust(delta, params, params, {}, {}) is delta
    assert plain.finish(delta, {}, {}, {}, torch.tensor(1), INFO) == (delta, {})
    new, server = plain.update(params, delta, {}, INFO)
    assert new["w"].tolist() == [1.5, 1.0] and server == {}


def test_an_unknown_weighting() -> None:
    with pytest.raises(ValidationError, match="'samples' or 'uniform'"):
        fb.FedAvg(weighting="size")
