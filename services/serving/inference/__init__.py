"""Inference on request, whatever carries it: HTTP or gRPC."""

from services.serving.inference.answering import Inference
from services.serving.inference.served import Served

__all__ = ["Inference", "Served"]
