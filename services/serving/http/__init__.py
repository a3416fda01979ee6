"""What may be asked over HTTP: the Open Inference Protocol v2, and a page about the models."""

from services.serving.http.direct import Direct, DirectProtocol
from services.serving.http.drain import Drain
from services.serving.http.pages import routes
from services.serving.http.protocol import Protocol

__all__ = ["Direct", "DirectProtocol", "Drain", "Protocol", "routes"]
