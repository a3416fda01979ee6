"""The features of a weather reading: what an airport's station has measured until its hour."""

import numpy as np
from numpy.typing import NDArray

from examples.source import Column
from examples.weather import READINGS, Weather

_STANDARD_TIME = -5


class Grid:
    """One reading by station and hour, so that another hour is another column.

    Args:
        weather: n rows.
        reading: which of `READINGS`.
    """

    def __init__(self, weather: Weather, reading: str) -> None:
        self._station = weather.station.codes
        hour = weather.hour // 60
        self._hour = hour - hour.min()
        self._values = np.full((len(weather.station.names), int(self._hour.max()) + 1), np.nan)
        self._values[self._station, self._hour] = weather.readings[reading].filled(np.nan)

    def shifted(self, hours: int) -> NDArray[np.float64]:
        """Return (n,) values at the same station `hours` later, NaN where there is none."""
        hour = self._hour + hours
        inside = (hour >= 0) & (hour < self._values.shape[1])
        values = self._values[self._station, np.where(inside, hour, 0)]
        return np.where(inside, values, np.nan)

    def change(self, hours: int) -> NDArray[np.float64]:
        """Return (n,) differences to the value `hours` before."""
        return self.shifted(0) - self.shifted(-hours)

    def mean(self, hours: int) -> NDArray[np.float64]:
        """Return (n,) means of the values of the last `hours`, the row's own included."""
        values = np.array([self.shifted(-ago) for ago in range(hours)])
        known = np.isfinite(values)
        total = np.where(known, values, 0.0).sum(axis=0)
        number = known.sum(axis=0)
        return np.where(number > 0, total / np.maximum(number, 1), np.nan)


def temperature_features(weather: Weather) -> dict[str, Column]:
    """Compute all features by name, each of n rows in the order of `weather`, masked where unknown.

    `hour` is in local standard time, which follows the sun all year.
    """
    temp, pressure = Grid(weather, "temp"), Grid(weather, "pressure")
    computed = {
        "temp_change_3h": temp.change(3),
        "temp_change_24h": temp.change(24),
        "pressure_change_3h": pressure.change(3),
        "temp_mean_24h": temp.mean(24),
    }
    return {
        "origin": weather.station.text(),
        "hour": (weather.hour // 60 + _STANDARD_TIME) % 24,
        **{name: weather.readings[name].round(4) for name in READINGS},
        **{name: np.ma.masked_invalid(column.round(4)) for name, column in computed.items()},
    }


def temperature_a_day_later(weather: Weather) -> NDArray[np.float64]:
    """Return (n,) temperatures in F at the same station 24 hours later, NaN where unknown."""
    return Grid(weather, "temp").shifted(24)
