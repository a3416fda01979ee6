"""events.validated, model.declared, release.changed -> predictions."""

from services.serving.handlers.predicting import predict
from services.serving.handlers.releases import Release, Releases

__all__ = ["Release", "Releases", "predict"]
