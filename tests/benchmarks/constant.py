"""The ceiling of HTTP: the same server and the same bytes, without any work between them."""

from __future__ import annotations

import argparse
import gc

import uvicorn

BODY = (
    b'{"model_name":"benchmark","model_version":"1.0.0","id":"0123456789abcdef0123456789abcdef",'
    b'"outputs":[{"name":"score","datatype":"FP64","shape":[1],"data":[0.5123456789012345]},'
    b'{"name":"decision","datatype":"BOOL","shape":[1],"data":[true]}]}'
)
HEADERS = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(BODY))]


async def constant(scope, receive, send):
    """Read the body and answer as many bytes as serving does."""
    if scope["type"] == "http":
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
        await send({"type": "http.response.body", "body": BODY})


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int)
    options = parser.parse_args()
    # As our services do.
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    uvicorn.run(
        constant,
        port=options.port,
        loop="uvloop",
        http="httptools",
        ws="none",
        proxy_headers=False,
        server_header=False,
        lifespan="off",
        log_level="warning",
        access_log=False,
    )
