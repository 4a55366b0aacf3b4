"""FastAPI with the model in process: its chapters "Lifespan Events" and "Request Body".

uvicorn measure.bench.serving.peers.fastapi_app:app --port 8080
"""

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from pydantic import BaseModel

from measure.bench.serving.peers.network import infer, load_network
from measure.bench.serving.peers.pictures import Pictures

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

loaded: dict[str, Any] = {}


class Encoded(BaseModel):
    b64: str


class Instance(BaseModel):
    image_bytes: Encoded


class Instances(BaseModel):
    instances: list[Instance]


@asynccontextmanager
async def lifespan(_: FastAPI) -> "AsyncIterator[None]":
    loaded.update(pictures=Pictures(), network=load_network())
    yield
    loaded.clear()


app = FastAPI(lifespan=lifespan)


@app.post("/predict")
def predict(given: Instances) -> dict[str, Any]:
    pictures = loaded["pictures"]
    rows = pictures.decode([each.image_bytes.b64 for each in given.instances])
    return {"predictions": pictures.predictions(infer(loaded["network"], rows))}
