"""Images of 28 × 28 pixels: handwritten digits and articles of clothing."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from fedbench.data.card import Card, Task
from fedbench.data.files import File
from fedbench.data.source import GivenSplit, Raw
from fedbench.data.values import Features

TRAIN, TEST = 60_000, 10_000
SIDE = 28
IMAGES, LABELS = 16, 8  # bytes of the headers


class Idx(GivenSplit, family=True):
    """A set in the idx format: training images and labels, test images and labels.

    `files` are in this order. Pixels are in [0, 1] and are not standardised: their scale is known
    without looking at any row.
    """

    task: ClassVar[Task] = "classification"
    shape: ClassVar[tuple[int, ...]] = (1, SIDE, SIDE)

    @property
    def training_samples(self) -> int:
        """Return 60,000."""
        return TRAIN

    @abstractmethod
    def card(self) -> Card:
        """Return what the set is."""

    def table(self) -> Raw:
        """Return pixels [70000, 1, 28, 28] and classes, test rows last."""
        images, labels, test_images, test_labels = (file.read() for file in self.files)
        x = np.empty((TRAIN + TEST, *self.shape), dtype=np.float32)
        for part, packed in ((x[:TRAIN], images), (x[TRAIN:], test_images)):
            pixels = np.frombuffer(packed, dtype=np.uint8, offset=IMAGES).reshape(part.shape)
            np.multiply(pixels, np.float32(1 / 255), out=part)
        classes = [np.frombuffer(each, np.uint8, offset=LABELS) for each in (labels, test_labels)]
        y = np.concatenate(classes).astype(np.int64)
        return Raw(self.card(), x, y, held=np.arange(TRAIN + TEST) >= TRAIN)

    @property
    def fitted(self) -> tuple[str, ...]:
        """Return what is computed from the rows before any noise: nothing."""
        return ()

    def prepare(self, raw: Raw, held: NDArray[np.bool_]) -> Features:
        """Return the pixels as they are."""
        return raw.x


def _names() -> tuple[str, ...]:
    return tuple(f"pixel {row},{column}" for row in range(SIDE) for column in range(SIDE))


def _files(folder: str, url: str, hashes: tuple[str, str, str, str]) -> tuple[File, ...]:
    names = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
    sizes = (
        IMAGES + TRAIN * SIDE * SIDE,
        LABELS + TRAIN,
        IMAGES + TEST * SIDE * SIDE,
        LABELS + TEST,
    )
    return tuple(
        File(f"{folder}/{name}-ubyte", size, sha256, f"{url}/{name}-ubyte.gz")
        for name, size, sha256 in zip(names, sizes, hashes, strict=True)
    )


class MNIST(Idx):
    """Handwritten digits, 60,000 for training and 10,000 for testing (LeCun et al. 1998)."""

    files: ClassVar[tuple[File, ...]] = _files(
        "mnist",
        "http://yann.lecun.com/exdb/mnist",
        (
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
    )

    def card(self) -> Card:
        """Return what the set is."""
        return Card(
            name="MNIST",
            source="LeCun, Cortes and Burges, The MNIST Database of Handwritten Digits",
            licence="commonly stated as CC BY-SA 3.0",
            task=self.task,
            shape=self.shape,
            features=_names(),
            target="digit",
            classes=tuple("0123456789"),
            traps=("the writer of a digit is not recorded: every federation of it is constructed",),
        )


class FashionMNIST(Idx):
    """Articles of clothing, 60,000 for training and 10,000 for testing (arXiv:1708.07747)."""

    files: ClassVar[tuple[File, ...]] = _files(
        "fashion-mnist",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
        (
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ),
    )

    def card(self) -> Card:
        """Return what the set is."""
        return Card(
            name="Fashion-MNIST",
            source="Zalando Research (Xiao, Rasul and Vollgraf 2017)",
            licence="MIT",
            task=self.task,
            shape=self.shape,
            features=_names(),
            target="article",
            classes=(
                "T-shirt/top",
                "trouser",
                "pullover",
                "dress",
                "coat",
                "sandal",
                "shirt",
                "sneaker",
                "bag",
                "ankle boot",
            ),
            traps=("the images have no natural holder: every federation of them is constructed",),
        )
