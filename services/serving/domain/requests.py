"""Bodies of inference requests, JSON with or without binary tensors, to what is asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from services.serving.domain.features import Row
from services.serving.domain.protocol import InferRequest, InputTensor, Request, RequestedOutput
from services.serving.domain.signature import Signature, Tensor
from services.serving.domain.tensors import flat, unpacked

LONGEST_ID, LONGEST_KEY = 200, 1000
REQUESTS = msgspec.json.Decoder(InferRequest)


class Asked(msgspec.Struct, frozen=True):
    """What a request asks, whatever carried it.

    Attributes:
        id: of the request; empty if it has none.
        rows: values of the features in declared order.
        entity: whom the rows are about; empty if it is not said.
        durable: whether the answer waits until Kafka has the predictions.
        outputs: that are wanted; None for all.
        binary: whether outputs are wanted as bytes unless they say otherwise.

    """

    id: str
    rows: Sequence[Row]
    entity: str = ""
    durable: bool = False
    outputs: Sequence[RequestedOutput] | None = None
    binary: bool = False


def asked(signature: Signature, body: bytes, json_size: int | None = None) -> Asked:
    """Read a body.

    Args:
        signature: of the model.
        body: JSON, then the bytes of binary tensors in the order of the inputs.
        json_size: bytes of the JSON part, where there is another.

    Raises:
        ValueError: what is wrong with it, naming tensor, row and bound.

    """
    if json_size is None:
        straight = signature.straight.read(body)
        if straight is not None:
            request, row = straight
            return asked_by(request, (row,))
    elif not 0 <= json_size <= len(body):
        raise ValueError(f"the JSON part cannot have {json_size} bytes of {len(body)}")
    document, binary = (body, b"") if json_size is None else (body[:json_size], body[json_size:])
    try:
        general = REQUESTS.decode(document)
    except ValueError as error:
        raise ValueError(f"the body is no inference request: {error}") from error
    return asked_by(general, signature.rows(_tensors(general.inputs, binary)))


def asked_by(request: Request, rows: Sequence[Row]) -> Asked:
    """Take over what a request says beside its tensors.

    Raises:
        ValueError: a parameter has the wrong type or length.

    """
    identity, parameters = request.id or "", request.parameters
    if len(identity) > LONGEST_ID - (len(rows) > 1) * len(f"-{len(rows)}"):
        raise ValueError(f"the id, with the number of a row, has more than {LONGEST_ID} characters")
    if not parameters:
        return Asked(identity, rows, outputs=request.outputs)
    entity = parameters.get("entity_id", "")
    if not isinstance(entity, str) or len(entity.encode()) > LONGEST_KEY:
        raise ValueError(f"parameters.entity_id must be a string of at most {LONGEST_KEY} bytes")
    durable, binary = (_flag(parameters, name) for name in ("durable", "binary_data_output"))
    return Asked(identity, rows, entity, durable, request.outputs, binary)


def wants_bytes(asked: Asked, output: RequestedOutput | None) -> bool:
    """Tell whether an output is wanted as bytes.

    Raises:
        ValueError: what it says of that is neither true nor false.

    """
    if output is None or not output.parameters or "binary_data" not in output.parameters:
        return asked.binary
    return _flag(output.parameters, "binary_data")


def _flag(parameters: dict[str, Any], name: str) -> bool:
    value = parameters.get(name, False)
    if not isinstance(value, bool):
        raise ValueError(f"parameter {name} must be true or false, not {value!r:.100}")
    return value


def _tensors(inputs: Sequence[InputTensor], binary: bytes) -> list[Tensor]:
    tensors, at = list[Tensor](), 0
    for given in inputs:
        size = (given.parameters or {}).get("binary_data_size")
        if size is None:
            elements = flat(given.name, given.datatype, given.shape, given.data or [])
        else:
            if type(size) is not int or not 0 <= size <= len(binary) - at:
                raise ValueError(
                    f"input {given.name!r}: binary_data_size {size!r:.50}, but {len(binary) - at} "
                    "bytes are left"
                )
            elements = unpacked(given.name, given.datatype, given.shape, binary[at : at + size])
            at += size
        tensors.append(Tensor(given.name, given.datatype, given.shape, elements))
    if at != len(binary):
        raise ValueError(f"{len(binary) - at} bytes after the JSON belong to no input")
    return tensors
