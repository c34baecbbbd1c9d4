"""Membership inference: is a row one of those that a model was trained on?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fedbench.config.problems import expect
from fedbench.data import FederatedDataset
from fedbench.data.values import Features
from fedbench.engine.engine import blocks
from fedbench.models import Model
from fedbench.runs import History, Session

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go
    from torch import nn

Floats = NDArray[np.float64]

LEVEL = 0.95  # of every interval
LOW_FPR = 0.01  # false alarms that an attacker who accuses can afford (arXiv:2112.03570)


@dataclass(frozen=True, eq=False)
class MembershipInference:
    """An attacker who calls a row a member where its loss is low (Yeom et al., arXiv:1709.01604).

    `members` [M] and `others` [N] are the losses of rows that were trained on and of rows that were
    not. This is one simple attack on single rows: an AUC above 0.5 shows a leak, while an AUC near
    0.5 proves nothing, as a better attack may do better, and one on all rows of a client together
    may tell who took part. Differential privacy bounds them all. Both kinds of rows must
    be alike but for the training: where the test set is of a later time or of other people, the
    attack tells these apart as well. Raises ValueError for fewer than two losses of a kind, and for
    losses that are not finite.
    """

    members: Floats
    others: Floats
    title: str = ""

    def __post_init__(self) -> None:
        for name in ("members", "others"):
            losses = np.asarray(getattr(self, name), dtype=np.float64)
            if losses.ndim != 1 or len(losses) < 2:
                raise ValueError(
                    f"{name}: losses of shape {losses.shape}; give one number per row, for at "
                    "least two rows"
                )
            if not np.isfinite(losses).all():
                row = int(np.flatnonzero(~np.isfinite(losses))[0])
                raise ValueError(f"{name}: the loss of row {row} is {losses[row]}, not finite")
            object.__setattr__(self, name, losses)

    @cached_property
    def _placements(self) -> tuple[Floats, Floats]:
        """For each row, the share of the other kind that it stands right of, ties as a half."""
        from scipy.stats import rankdata

        m, n = len(self.members), len(self.others)
        ranks = rankdata(np.concatenate([self.members, self.others]))
        before_members = (ranks[:m] - rankdata(self.members)) / n
        before_others = (ranks[m:] - rankdata(self.others)) / m
        return 1 - before_members, before_others

    @property
    def auc(self) -> float:
        """Return the chance that a member has a lower loss than a non-member; 0.5 is guessing."""
        return float(self._placements[0].mean())

    @cached_property
    def interval(self) -> tuple[float, float]:
        """Return the 95 % interval of the AUC, by DeLong et al. 1988 on the logit scale.

        It covers which rows were looked at, not how another run would have ended. Where the losses
        separate entirely there is no variance to estimate; then min(M, N) disjoint pairs, all told
        apart, give the bound of Clopper and Pearson.
        """
        from scipy.special import expit, logit
        from scipy.stats import norm

        auc, tail = self.auc, (1 - LEVEL) / 2
        if auc in (0, 1):
            far = tail ** (1 / min(len(self.members), len(self.others)))
            return (far, 1.0) if auc else (0.0, 1 - far)
        variance = sum(each.var(ddof=1) / len(each) for each in self._placements)
        reach = float(norm.isf(tail)) * variance**0.5 / (auc * (1 - auc))
        return float(expit(logit(auc) - reach)), float(expit(logit(auc) + reach))

    @property
    def low(self) -> float:
        """Return the lower end of `interval`."""
        return self.interval[0]

    @property
    def high(self) -> float:
        """Return the upper end of `interval`."""
        return self.interval[1]

    @cached_property
    def _curve(self) -> tuple[Floats, Floats, Floats]:
        """Thresholds, and the FPR and the TPR of each."""
        thresholds = np.unique(np.concatenate([[-np.inf], self.members, self.others]))
        hits, alarms = (_at_most(part, thresholds) for part in (self.members, self.others))
        return thresholds, alarms / len(self.others), hits / len(self.members)

    @property
    def advantage(self) -> float:
        """Return the largest TPR − FPR of any threshold.

        The threshold is chosen with hindsight: it is above 0 even where there is nothing to find.
        """
        _, fpr, tpr = self._curve
        return float((tpr - fpr).max())

    @property
    def tpr(self) -> float:
        """Return the share of members found by a threshold with at most 1 % false alarms."""
        _, fpr, tpr = self._curve
        return float(tpr[fpr <= LOW_FPR].max())

    def frame(self) -> pd.DataFrame:
        """Return the ROC curve: threshold, fpr and tpr where a loss of at most it is a member's."""
        import pandas as pd

        return pd.DataFrame(dict(zip(("threshold", "fpr", "tpr"), self._curve, strict=True)))

    def epsilon_lower_bound(self, delta: float = 0.0, *, exchanged: bool = False) -> float:
        """Return an ε that the training spent at least, for single rows, with 95 % confidence.

        Differential privacy has TPR ≤ e^ε·FPR + δ, and the same of the rates of misses. A threshold
        is chosen by every other row, and the rates at it are bounded by Clopper and Pearson on the
        rest, as by Jagielski et al. 2020 (arXiv:2006.07709). They train a model for each trial;
        here all rows share one model and count as independent trials, which makes this an
        indication, not a proof. It is small for few rows, whatever was spent.

        `exchanged` compares it with a client-level ε, whose neighbours lack a client: a client with
        another row is one client less and one more, for which (ε, δ) becomes (2ε, (1 + e^ε)δ). The
        bound is then the ε with TPR = e^2ε·FPR + (1 + e^ε)δ; without a δ it is half the other one.
        Raises ValueError for a δ outside [0, 1), and for fewer than four losses of a kind.
        """
        if not 0 <= delta < 1:
            raise ValueError(f"delta = {delta!r} is not in [0, 1); use that of the run")
        chosen = MembershipInference(self.members[::2], self.others[::2])
        judged = MembershipInference(self.members[1::2], self.others[1::2])
        thresholds = chosen._curve[0]
        low = chosen._bounds(thresholds, delta, exchanged)
        which, place = np.unravel_index(int(low.argmax()), low.shape)
        bounds = judged._bounds(thresholds[place : place + 1], delta, exchanged)
        return max(0.0, float(bounds[which, 0]))

    def _bounds(self, thresholds: Floats, delta: float, exchanged: bool) -> Floats:
        """Lower bounds of ε at each threshold [2, T]: from those below it and from those above."""
        m, n = len(self.members), len(self.others)
        hits, alarms = (_at_most(part, thresholds) for part in (self.members, self.others))
        return np.stack(
            [
                _epsilon(hits, m, alarms, n, delta, exchanged),
                _epsilon(n - alarms, n, m - hits, m, delta, exchanged),
            ]
        )

    def figure(self) -> go.Figure:
        """Return a plotly figure: the ROC curve, and the losses of members and non-members."""
        from fedbench.audit.figures import membership_figure

        note = f"AUC {self.auc:.3f}, 95 % interval {self.low:.3f} to {self.high:.3f}"
        return membership_figure(self.frame(), self.members, self.others, note, self.title)

    def __repr__(self) -> str:
        return (
            f"<MembershipInference: AUC {self.auc:.3f} ({self.low:.3f} to {self.high:.3f}), "
            f"{len(self.members)} members, {len(self.others)} others>"
        )


def membership_inference(session: Session) -> MembershipInference:
    """Return how well the global model of a run gives away the rows that it was trained on.

    Members are the rows that clients held in rounds in which they took part, non-members the test
    rows of the last round. Rows that an amendment brings count from the first round with them. See
    `MembershipInference` for what it proves. Raises SessionError before the run has begun, and
    ValueError while nobody has taken part.
    """
    expect(session, Session, "session")
    module, experiment = session.module(), session.experiment
    *earlier, (data, clients) = _taken_part(session.history)
    found = loss_threshold(experiment.model, module, data, clients, title=experiment.describe())
    if not earlier:
        return found
    known, members = set(_contents(data, _rows(data, clients))), [found.members]
    for before, cohort in reversed(earlier):
        rows = _rows(before, cohort)
        contents = _contents(before, rows)
        fresh = np.array([content not in known for content in contents], dtype=bool)
        known.update(contents)
        members.append(_losses(experiment.model, module, before.x, before.y, rows[fresh]))
    return MembershipInference(np.concatenate(members), found.others, found.title)


def _taken_part(history: History) -> list[tuple[FederatedDataset, NDArray[np.int64]]]:
    """Each data set that rounds were trained on, in order, and the clients of these rounds."""
    experiment, rounds = history.experiment, history.snapshot()
    notes = [note for note in history.amendments if note.round <= len(rounds)]
    begins = [1, *(note.round for note in notes), len(rounds) + 1]
    found: list[tuple[FederatedDataset, NDArray[np.int64]]] = []
    for k, (first, last) in enumerate(pairwise(begins)):
        if k:
            experiment = experiment.replace(**notes[k - 1].changes)
        data = experiment.federation()
        clients = np.unique([c for row in rounds[first - 1 : last - 1] for c in row.cohort])
        if found and found[-1][0] is data:
            clients = np.union1d(found.pop()[1], clients)
        found.append((data, clients.astype(np.int64)))
    return found


def _rows(data: FederatedDataset, clients: NDArray[np.int64]) -> NDArray[np.int64]:
    """The rows of some clients, each once."""
    held = zip(clients.tolist(), data.sizes_of(clients).tolist(), strict=True)
    each = [data.rows(k, np.arange(count)) for k, count in held]
    return np.unique(np.concatenate([np.empty(0, dtype=np.int64), *each]))


def _contents(data: FederatedDataset, rows: NDArray[np.int64]) -> list[bytes]:
    """Features and target of each row: data that arrive keep their values, not their places."""
    return [data.x[row].tobytes() + data.y[row].tobytes() for row in rows]


def loss_threshold(
    model: Model,
    module: nn.Module,
    data: FederatedDataset,
    clients: NDArray[np.int64] | None = None,
    *,
    title: str = "",
) -> MembershipInference:
    """Return what the losses of a trained `module` give away about the rows of `clients`.

    It costs one pass over these rows and the test rows. `model` gives the loss of an example;
    `clients` are those that took part, all by default. Raises ValueError where they are none, and
    for losses that are not finite.
    """
    ids = np.arange(data.clients) if clients is None else clients
    if not len(ids):
        raise ValueError("clients: no client has taken part, so there are no members; run a round")
    members = _losses(model, module, data.x, data.y, _rows(data, ids))
    others = _losses(model, module, data.x_test, data.y_test, np.arange(len(data.y_test)))
    return MembershipInference(members, others, title)


def _losses(
    model: Model, module: nn.Module, x: Features, y: NDArray[np.generic], rows: NDArray[np.int64]
) -> Floats:
    """The loss of each of some rows, by the module as it is used and not as it trains."""
    import torch

    training, found = module.training, [np.empty(0)]
    module.eval()
    try:
        with torch.no_grad():
            for first, last in blocks(0, len(rows)):
                some = rows[first:last]
                outputs = module(torch.from_numpy(x[some]))
                losses = model.loss(outputs, torch.from_numpy(y[some]))
                found.append(losses.double().numpy())
    finally:
        module.train(training)
    return np.concatenate(found)


def _at_most(losses: Floats, thresholds: Floats) -> NDArray[np.int64]:
    return np.searchsorted(np.sort(losses), thresholds, side="right")


def _epsilon(
    hits: NDArray[np.int64],
    m: int,
    alarms: NDArray[np.int64],
    n: int,
    delta: float,
    exchanged: bool,
) -> Floats:
    """ln((low(TPR) − δ) / high(FPR)), each bound wrong with half of what both may be; else −∞.

    For units that are exchanged, ln u where u²·high(FPR) + (1 + u)δ = low(TPR).
    """
    from scipy.stats import beta

    tail = (1 - LEVEL) / 2
    least = np.where(hits > 0, beta.ppf(tail, np.maximum(hits, 1), m - hits + 1), 0.0)
    most = np.where(alarms < n, beta.isf(tail, alarms + 1, np.maximum(n - alarms, 1)), 1.0)
    left = np.maximum(least - delta, 0.0)
    with np.errstate(divide="ignore"):
        if exchanged:
            root = delta + np.sqrt(delta**2 + 4 * most * left)
            return np.log(2 * left / np.maximum(root, np.finfo(float).tiny))
        return np.log(left / most)
