"""The Open Inference Protocol as the field's own clients speak it, against a running service."""

import asyncio
import json

import httpx
import numpy as np
import pytest
from open_inference.openapi.client import OpenInferenceClient
from open_inference.openapi.errors import NotFoundError
from open_inference.openapi.types import InferenceRequest, RequestInput, TensorData
from tritonclient import grpc as triton_grpc
from tritonclient import http as triton_http
from tritonclient.utils import InferenceServerException

from deploy.local.ports import Ports
from shared.artifacts import Artifacts
from shared.kafka import Names
from shared.models import load
from tests.integration.serving_process import serving_process, told
from tests.service.serving.world import MODEL, World, boosted, plan

FILES = boosted()
ROWS = [(149.0, 7.5), (20.0, 3.0), (580.0, 0.5)]
VERSION = "1.0.0"


@pytest.fixture(scope="module")
def serving(real, tmp_path_factory):
    """A service with one LightGBM version of a model of two numbers."""
    kafka, _ = real
    folder, names = tmp_path_factory.mktemp("serving"), Names("conformance.")
    artifact = Artifacts(folder / "artifacts").put(FILES)
    steps = World.declare, lambda w: w.release(plan(1, VERSION, artifact), lead_ms=0)
    asyncio.run(told(kafka, names, folder, *steps))
    grpc = f"127.0.0.1:{Ports().any()}"
    with serving_process(kafka, names, folder, grpc=grpc, stream="false") as running:
        running.wait_until_ready(f"/v2/models/{MODEL}/ready")
        running.wait_until_ready("/v2/health/ready")
        running.grpc = grpc
        yield running


@pytest.fixture
def http(serving):
    with triton_http.InferenceServerClient(serving.url.removeprefix("http://")) as client:
        yield client


@pytest.fixture
def grpc(serving):
    with triton_grpc.InferenceServerClient(serving.grpc) as client:
        yield client


def expected(rows=ROWS):
    return load(FILES).score([{"seats": seats, "age": age} for seats, age in rows])


def test_triton_asks_how_things_are(http):
    assert http.is_server_live()
    assert http.is_server_ready()
    assert http.is_model_ready(MODEL)
    assert http.is_model_ready(MODEL, VERSION)
    assert not http.is_model_ready("nobody")
    assert not http.is_model_ready(MODEL, "9.9.9")
    assert "binary_tensor_data" in http.get_server_metadata()["extensions"]
    metadata = http.get_model_metadata(MODEL)
    assert metadata["versions"] == [VERSION]
    assert metadata["platform"] == "lightgbm_text"
    assert [(t["name"], t["datatype"]) for t in metadata["inputs"]] == [
        ("seats", "INT64"),
        ("age", "FP64"),
    ]
    assert [t["name"] for t in metadata["outputs"]] == ["score", "decision"]


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("outputs", [True, False])
def test_triton_infers(http, dtype, binary, outputs):
    matrix = np.array(ROWS, dtype=dtype)
    given = triton_http.InferInput("x", matrix.shape, "FP64" if dtype == np.float64 else "FP32")
    given.set_data_from_numpy(matrix, binary_data=binary)
    wanted = [triton_http.InferRequestedOutput("score", binary_data=binary)] if outputs else None
    answer = http.infer(MODEL, [given], request_id="r-7", outputs=wanted)
    assert answer.get_response()["id"] == "r-7"
    assert answer.as_numpy("score").tolist() == expected().tolist()
    if not outputs:
        assert answer.as_numpy("decision").tolist() == (expected() >= 0.25).tolist()


def test_triton_infers_with_a_tensor_per_feature_and_a_version(http):
    seats, age = (
        triton_http.InferInput(n, [3, 1], t) for n, t in (("seats", "INT64"), ("age", "FP64"))
    )
    seats.set_data_from_numpy(np.array([[149], [20], [580]]))
    age.set_data_from_numpy(np.array([[7.5], [np.nan], [0.5]]))
    answer = http.infer(MODEL, [age, seats], model_version=VERSION)
    rows = [(149, 7.5), (20, None), (580, 0.5)]
    assert answer.as_numpy("score").tolist() == expected(rows).tolist()


@pytest.mark.parametrize("transport", ["http", "grpc"])
def test_triton_is_told_what_is_wrong(transport, request):
    client = request.getfixturevalue(transport)
    kinds = {"http": triton_http, "grpc": triton_grpc}[transport]
    given = kinds.InferInput("x", [1, 3], "FP64")
    given.set_data_from_numpy(np.zeros((1, 3)))
    with pytest.raises(InferenceServerException, match=r"shape \[rows, 2\]"):
        client.infer(MODEL, [given])
    with pytest.raises(InferenceServerException, match="no model 'nobody'"):
        client.infer("nobody", [given])
    with pytest.raises(InferenceServerException, match="no version"):
        client.get_model_metadata(MODEL, "9.9.9")


def test_triton_asks_how_things_are_over_grpc(grpc):
    assert grpc.is_server_live()
    assert grpc.is_server_ready()
    assert grpc.is_model_ready(MODEL)
    assert grpc.is_model_ready(MODEL, VERSION)
    assert not grpc.is_model_ready("nobody")
    assert "binary_tensor_data" in grpc.get_server_metadata().extensions
    metadata = grpc.get_model_metadata(MODEL)
    assert [t.name for t in metadata.inputs] == ["seats", "age"]
    assert [list(t.shape) for t in metadata.outputs] == [[-1], [-1]]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_triton_infers_over_grpc(grpc, dtype):
    matrix = np.array(ROWS, dtype=dtype)
    given = triton_grpc.InferInput("x", matrix.shape, "FP64" if dtype == np.float64 else "FP32")
    given.set_data_from_numpy(matrix)
    answer = grpc.infer(MODEL, [given], request_id="r-8", model_version=VERSION)
    assert answer.get_response().id == "r-8"
    assert answer.as_numpy("score").tolist() == expected().tolist()
    assert answer.as_numpy("decision").tolist() == (expected() >= 0.25).tolist()
    asked = grpc.infer(MODEL, [given], outputs=[triton_grpc.InferRequestedOutput("score")])
    assert asked.as_numpy("decision") is None


def test_the_protocols_own_client(serving):
    with httpx.Client() as connection:
        the_protocols_own_calls(OpenInferenceClient(base_url=serving.url, httpx_client=connection))


def the_protocols_own_calls(client):
    client.check_server_liveness()
    client.check_server_readiness()
    client.check_model_readiness(MODEL)
    client.check_model_version_readiness(MODEL, VERSION)
    with pytest.raises(NotFoundError):
        client.check_model_readiness("nobody")
    assert client.read_server_metadata().name == "driftwheel"
    assert client.read_model_metadata(MODEL).versions == [VERSION]
    assert client.read_model_version_metadata(MODEL, VERSION).name == MODEL
    flat = [value for row in ROWS for value in row]
    given = RequestInput(name="x", datatype="FP64", shape=[3, 2], data=TensorData.parse_obj(flat))
    asked = InferenceRequest(id="r-9", inputs=[given])
    answer = client.model_infer(MODEL, request=asked)
    assert answer.id == "r-9"
    assert answer.outputs[0].data.__root__ == expected().tolist()
    versioned = client.model_version_infer(MODEL, VERSION, request=asked)
    assert versioned.model_version == VERSION


def x(**changed):
    tensor = {"name": "x", "datatype": "FP64", "shape": [1, 2], "data": [149.0, 7.5]}
    return {"inputs": [{**tensor, **changed}]}


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"",
        b"[]",
        json.dumps({"inputs": []}).encode(),
        json.dumps({}).encode(),
        json.dumps(x(data=[1.0])).encode(),
        json.dumps(x(shape=[2, 2])).encode(),
        json.dumps(x(datatype="FP65")).encode(),
        json.dumps(x(shape=[-1, -2])).encode(),
        json.dumps(x(data=["a", "b"])).encode(),
    ],
)
def test_what_is_no_request_gets_an_error_with_a_reason(serving, body):
    reply = httpx.post(f"{serving.url}/v2/models/{MODEL}/infer", content=body)
    assert 400 <= reply.status_code < 500
    assert isinstance(reply.json()["error"], str)


@pytest.mark.parametrize(
    "body",
    [
        x(),
        x(data=[[149.0, 7.5]]),
        x(datatype="INT64", data=[149, 7]),
        x(data=[149, None]),
    ],
)
def test_what_is_a_request_is_answered(serving, body):
    for path in ("", f"/versions/{VERSION}"):
        reply = httpx.post(f"{serving.url}/v2/models/{MODEL}{path}/infer", json=body)
        assert reply.status_code == 200, reply.text
