"""Worlds with known ground truth: a chart of them can show how well anyone could do."""

from fedbench.data.simulated.banks import Banks
from fedbench.data.simulated.city_load import CityLoad
from fedbench.data.simulated.fleet import Fleet
from fedbench.data.simulated.hospitals import Hospitals
from fedbench.data.simulated.payments import Payments
from fedbench.data.simulated.ratings import Ratings
from fedbench.data.simulated.reviews import Reviews
from fedbench.data.simulated.traffic import Traffic

__all__ = [
    "Banks",
    "CityLoad",
    "Fleet",
    "Hospitals",
    "Payments",
    "Ratings",
    "Reviews",
    "Traffic",
]
