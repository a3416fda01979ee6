"""What the Open Inference Protocol v2 says, whatever carries it."""

from __future__ import annotations

from typing import Any

import msgspec


class InputTensor(msgspec.Struct):
    """A tensor as it was sent: its elements flat in row-major order, or nested."""

    name: str
    datatype: str
    shape: list[int]
    data: list[Any] | None = None
    parameters: dict[str, Any] | None = None


class RequestedOutput(msgspec.Struct):
    """An output that is wanted, and how."""

    name: str
    parameters: dict[str, Any] | None = None


class Request(msgspec.Struct, kw_only=True):
    """What a request for inference says beside its inputs; unknown fields are passed over."""

    id: str | None = None
    parameters: dict[str, Any] | None = None
    outputs: list[RequestedOutput] | None = None


class InferRequest(Request, kw_only=True):
    """A request for inference."""

    inputs: list[InputTensor]


class OutputTensor(msgspec.Struct, omit_defaults=True):
    """A tensor of the answer; `data` is left out where the elements follow as bytes."""

    name: str
    datatype: str
    shape: list[int]
    data: list[Any] | None = None
    parameters: dict[str, Any] | None = None


class InferReply(msgspec.Struct):
    """The answer to a request for inference."""

    model_name: str
    model_version: str
    id: str
    outputs: list[OutputTensor]


class TensorMetadata(msgspec.Struct, frozen=True):
    """Name, type and shape of an input or output; -1 stands for any number of rows."""

    name: str
    datatype: str
    shape: list[int]


class ModelMetadata(msgspec.Struct, frozen=True):
    """What a client must know of a model."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class ServerMetadata(msgspec.Struct, frozen=True):
    """What a client must know of the server."""

    name: str
    version: str
    extensions: list[str]
