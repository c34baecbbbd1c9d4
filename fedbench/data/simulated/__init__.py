"""Worlds with known ground truth: a chart of them can show how well anyone could do."""

from fedbench.data.simulated.banks import Banks
from fedbench.data.simulated.city_load import CityLoad
from fedbench.data.simulated.fleet import Fleet
from fedbench.data.simulated.hospitals import Hospitals

__all__ = ["Banks", "CityLoad", "Fleet", "Hospitals"]
