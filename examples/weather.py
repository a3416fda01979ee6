"""Hourly weather at the three airports, each reading from the moment it is known."""

from dataclasses import dataclass

from examples.source import Category, Ints, Nullable, Table

READINGS = ("temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib")


@dataclass(frozen=True)
class Weather:
    """Weather rows in the order of the file; a reading describes the hour that starts at `hour`.

    Args:
        station: airport code.
        hour: start of the hour, in minutes since 1970 UTC.
        readings: temp, dewp (F), humid (%), wind_speed (mph), precip (inch/h), pressure (hPa) and
            visib (miles), masked where the station told nothing.
    """

    station: Category
    hour: Ints
    readings: dict[str, Nullable]

    @property
    def known(self) -> Ints:
        """When each reading is complete, the end of its hour."""
        return self.hour + 60


def load_weather() -> Weather:
    """Read the weather of 2013, 26,115 rows."""
    kinds = dict.fromkeys(READINGS, "float") | {"origin": "text", "time_hour": "utc"}
    table = Table("weather.csv", kinds)
    return Weather(
        station=table.category("origin"),
        hour=table.minutes("time_hour"),
        readings={name: table.nullable(name) for name in READINGS},
    )
