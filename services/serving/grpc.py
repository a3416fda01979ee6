"""The Open Inference Protocol v2 over gRPC; imported only where it is switched on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import wraps
from typing import Any, TypeAlias

import grpc
from open_inference.grpc import protocol as pb
from open_inference.grpc.service import (
    GRPCInferenceServiceServicer,
    add_GRPCInferenceServiceServicer_to_server,
)

from services.serving.domain.features import Row
from services.serving.domain.predictions import Header
from services.serving.domain.protocol import OutputTensor, Request, RequestedOutput, ServerMetadata
from services.serving.domain.requests import asked_by
from services.serving.domain.signature import Tensor
from services.serving.domain.tensors import flat, packed, unpacked
from services.serving.inference import Inference, Served
from services.serving.ports import Unknown
from shared.errors import Transient
from shared.telemetry import Telemetry

LAST_ANSWERS_S = 5.0
CONTENTS = {
    "BOOL": "bool_contents",
    **dict.fromkeys(("INT8", "INT16", "INT32"), "int_contents"),
    "INT64": "int64_contents",
    **dict.fromkeys(("UINT8", "UINT16", "UINT32"), "uint_contents"),
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}
Context: TypeAlias = Any  # the library has no types
Method = Callable[[Any, Any, Context], Awaitable[Any]]


def answering(method: Method) -> Method:
    """Turn errors into status codes."""

    @wraps(method)
    async def answered(self: Service, request: Any, context: Context) -> Any:
        try:
            return await method(self, request, context)
        except Unknown as error:
            code, reason = grpc.StatusCode.NOT_FOUND, str(error.args[0])
        except ValueError as error:
            code, reason = grpc.StatusCode.INVALID_ARGUMENT, str(error)
        except Transient as error:
            code, reason = grpc.StatusCode.UNAVAILABLE, str(error)
        except Exception as error:
            self.telemetry.log.exception("%s cannot be answered", method.__name__)
            code, reason = grpc.StatusCode.INTERNAL, f"{type(error).__name__}: the log says more"
        self.telemetry.count("http_requests", f"grpc {code.name}")
        return await context.abort(code, reason)

    return answered


class Service(GRPCInferenceServiceServicer):
    """The calls; the protocol's own documents describe them.

    Args:
        telemetry: of the service.
        inference: answers, whatever carries the questions.
        server: name, version and extensions.
        unready: says why the service cannot work now.

    """

    def __init__(
        self,
        telemetry: Telemetry,
        inference: Inference,
        server: ServerMetadata,
        unready: Callable[[], str | None],
    ) -> None:
        self.telemetry, self.inference = telemetry, inference
        self.server, self.unready = server, unready

    @answering
    async def ServerLive(self, request: Any, context: Context) -> Any:  # noqa: N802
        """Answer that the process does."""
        return pb.ServerLiveResponse(live=True)

    @answering
    async def ServerReady(self, request: Any, context: Context) -> Any:  # noqa: N802
        """Answer whether the service can work now."""
        return pb.ServerReadyResponse(ready=self.unready() is None)

    @answering
    async def ModelReady(self, request: Any, context: Context) -> Any:  # noqa: N802
        """Answer whether a model can answer now; one that is not there cannot."""
        try:
            await self.inference.ready(request.name, request.version or None)
        except (Unknown, Transient):
            return pb.ModelReadyResponse(ready=False)
        return pb.ModelReadyResponse(ready=True)

    @answering
    async def ServerMetadata(self, request: Any, context: Context) -> Any:  # noqa: N802
        """Describe the server."""
        known = self.server
        extensions = known.extensions
        return pb.ServerMetadataResponse(
            name=known.name, version=known.version, extensions=extensions
        )

    @answering
    async def ModelMetadata(self, request: Any, context: Context) -> Any:  # noqa: N802
        """Describe a model."""
        told = self.inference.served(request.name).metadata(request.version or None)
        described = pb.ModelMetadataResponse.TensorMetadata
        return pb.ModelMetadataResponse(
            name=told.name,
            versions=told.versions,
            platform=told.platform,
            inputs=[
                described(name=t.name, datatype=t.datatype, shape=t.shape) for t in told.inputs
            ],
            outputs=[
                described(name=t.name, datatype=t.datatype, shape=t.shape) for t in told.outputs
            ],
        )

    @answering
    async def ModelInfer(self, request: Any, context: Context) -> Any:  # noqa: N802
        """Answer a request for inference, as bytes if its inputs came as bytes."""
        served = self.inference.served(request.model_name)
        outputs = [RequestedOutput(o.name, _parameters(o.parameters)) for o in request.outputs]
        said = Request(
            id=request.id, parameters=_parameters(request.parameters), outputs=outputs or None
        )
        asked = asked_by(said, _rows(served, request))
        wanted, trace = served.outputs.wanted(asked), _trace(context)
        version = request.model_version or None
        inferred = await self.inference.infer(served, version, asked, trace)
        tensors = [
            served.outputs.tensor(name, inferred.scores, inferred.choices) for name, _ in wanted
        ]
        raw = bool(request.raw_input_contents) or asked.binary
        answer = pb.ModelInferResponse(
            model_name=inferred.author.model,
            model_version=inferred.author.version,
            id=inferred.id,
            outputs=[_output(tensor, raw) for tensor in tensors],
        )
        if raw:
            contents = (packed(tensor.datatype, tensor.data or ()) for tensor in tensors)
            answer.raw_output_contents.extend(contents)
        return answer


class GrpcServer:
    """A part that listens for gRPC.

    Args:
        service: the calls.
        address: where to listen.
        max_body: bytes of a request.

    """

    def __init__(self, service: Service, address: str, max_body: int) -> None:
        self.service, self.address, self.max_body = service, address, max_body
        self._server: grpc.aio.Server | None = None

    async def start(self) -> None:
        """Listen."""
        server = grpc.aio.server(options=[("grpc.max_receive_message_length", self.max_body)])
        add_GRPCInferenceServiceServicer_to_server(self.service, server)
        server.add_insecure_port(self.address)
        await server.start()
        self._server = server

    async def stop(self) -> None:
        """Take no more calls, and end those that have begun."""
        if self._server is not None:
            await self._server.stop(LAST_ANSWERS_S)
            self._server = None

    def unready(self) -> str | None:
        """Say why no call is taken; None when it is."""
        return None if self._server is not None else "gRPC is not listening"


def _rows(served: Served, request: Any) -> list[Row]:
    raw = list(request.raw_input_contents)
    if raw and len(raw) != len(request.inputs):
        raise ValueError(f"{len(raw)} raw contents for {len(request.inputs)} inputs")
    return served.signature.rows(
        [_tensor(given, raw[place] if raw else None) for place, given in enumerate(request.inputs)]
    )


def _tensor(given: Any, raw: bytes | None) -> Tensor:
    name, datatype, shape = given.name, given.datatype, list(given.shape)
    if raw is not None:
        return Tensor(name, datatype, shape, unpacked(name, datatype, shape, raw))
    if datatype not in CONTENTS:
        raise ValueError(f"input {name!r}: {datatype!r} is taken as raw contents only, if at all")
    elements: Sequence[Any] = list(getattr(given.contents, CONTENTS[datatype]))
    if datatype == "BYTES":
        elements = [element.decode() for element in elements]
    return Tensor(name, datatype, shape, flat(name, datatype, shape, elements))


def _output(tensor: OutputTensor, raw: bool) -> Any:
    output = pb.ModelInferResponse.InferOutputTensor(
        name=tensor.name, datatype=tensor.datatype, shape=tensor.shape
    )
    if not raw:
        texts = tensor.datatype == "BYTES"
        elements = [e.encode() for e in tensor.data or ()] if texts else tensor.data
        getattr(output.contents, CONTENTS[tensor.datatype]).extend(elements)
    return output


def _parameters(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name: getattr(p, p.WhichOneof("parameter_choice")) for name, p in given.items()}


def _trace(context: Context) -> tuple[Header, ...]:
    metadata = context.invocation_metadata() or ()
    return tuple((name, str(value).encode()) for name, value in metadata if name == "traceparent")
