"""Real data sets, read from the files that their publishers give out."""

from fedbench.data.real.heart_disease import HeartDisease
from fedbench.data.real.images import MNIST, FashionMNIST

__all__ = ["MNIST", "FashionMNIST", "HeartDisease"]
