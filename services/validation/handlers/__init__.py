"""events, labels -> events.validated, labels.validated, events.quarantined, quality.measured."""

from services.validation.handlers.declared import Declared
from services.validation.handlers.examining import Limits
from services.validation.handlers.validating import validate

__all__ = ["Declared", "Limits", "validate"]
