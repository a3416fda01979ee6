"""Bytes of events to columns."""

from shared.events.columns import Events, Spans
from shared.events.fields import Field, fields_of
from shared.events.reader import EventReader, load
from shared.events.vocabulary import PerText

__all__ = ["EventReader", "Events", "Field", "PerText", "Spans", "fields_of", "load"]
