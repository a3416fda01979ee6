"""The year of flights, computed once for all tests of this folder."""

import pytest

from examples.flights.replay import flight_rows
from examples.flights.tables import Flights, load_flights
from examples.stream import Rows
from examples.weather import Weather, load_weather
from tests.unit.flights.reference import Reference


@pytest.fixture(scope="package")
def flights() -> Flights:
    return load_flights()


@pytest.fixture(scope="package")
def weather() -> Weather:
    return load_weather()


@pytest.fixture(scope="package")
def rows(flights: Flights, weather: Weather) -> Rows:
    return flight_rows(flights, weather)


@pytest.fixture(scope="package")
def reference() -> Reference:
    return Reference()
