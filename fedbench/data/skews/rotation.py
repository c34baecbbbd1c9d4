"""Some clients hold their camera aslant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from fedbench.config.problems import Problem
from fedbench.config.setup import Setup
from fedbench.data.skews.skew import Holder, Rows, Skew
from fedbench.data.values import Features


class Rotation(Skew):
    """Rotate all images of a client by one angle, uniform between ± `degrees`.

    Uncovered corners are black (0), and the size is unchanged. Source: Ghosh et al. 2020
    (arXiv:2006.04088), who rotate MNIST by multiples of 90 degrees.
    """

    keeps_privacy: ClassVar[bool] = True

    degrees: Annotated[
        float,
        Field(
            ge=0,
            le=180,
            title="Largest angle",
            description="largest angle by which a client's images are rotated: 0 is none",
            json_schema_extra={"slider": [0, 180, 1], "unit": "°", "formula": "angle_i ~ U(−d, d)"},
        ),
    ] = 30.0

    def apply(self, x: Features, y: NDArray[np.generic], who: Holder) -> Rows:
        """Return turned images [n, ..., height, width], targets as they are."""
        from scipy.ndimage import rotate

        angle = who.own.uniform(-self.degrees, self.degrees)
        turned = rotate(x, angle, axes=(-1, -2), reshape=False, order=1, mode="constant", cval=0.0)
        return turned.astype(np.float32), y

    def check(self, setup: Setup) -> Iterator[Problem]:
        """Refuse what is no image."""
        yield from super().check(setup)
        shape = getattr(setup.data, "shape", None)  # a source of one's own may know it only later
        if shape is not None and (setup.data.vocabulary or len(shape) < 2):
            yield self._unfit(setup, f"its examples, of shape {shape}, are not images")
