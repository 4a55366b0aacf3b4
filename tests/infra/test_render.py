"""config.pbtxt for any signature and any settings, parsed back with Triton's own protobuf."""

from __future__ import annotations

from google.protobuf import text_format
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tritonclient.grpc import model_config_pb2

from infra.config import ModelSettings, Predictor, Triton
from infra.config.model import BACKEND_PARAMETERS
from infra.config.types import Device
from infra.manifests.model_config import config_pbtxt, quoted
from release.schema import CONFIG_TYPES, File, Preprocessing, Release, Tensor

SHA = "0" * 64
DIMS = st.lists(st.integers(1, 4096) | st.just(-1), min_size=1, max_size=4)
LABELS = st.lists(st.text(st.characters(exclude_characters="\n"), max_size=12), max_size=4)


def tensors(kind: str) -> st.SearchStrategy[tuple[Tensor, ...]]:
    one = st.tuples(st.sampled_from(sorted(CONFIG_TYPES)), DIMS)
    return st.lists(one, min_size=1, max_size=4).map(
        lambda found: tuple(
            Tensor(f"{kind}__{at}", dtype, tuple(dims)) for at, (dtype, dims) in enumerate(found)
        )
    )


@st.composite
def releases(draw: st.DrawFn) -> Release:
    inputs = draw(tensors("INPUT"))
    return Release(
        name=draw(st.from_regex(r"[a-z]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)),
        model=File(SHA, 1),
        torch="2.12.1",
        inputs=inputs,
        outputs=draw(tensors("OUTPUT")),
        preprocessing=Preprocessing(32, 32, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        labels=tuple(draw(LABELS)),
        accuracy=0.5,
        held_out=10,
        samples=(),
        warmup={tensor.name: SHA for tensor in inputs},
    )


@st.composite
def model_settings(draw: st.DrawFn) -> ModelSettings:
    device = draw(st.sampled_from(Device))
    batch = draw(st.integers(0, 64))
    sizes = st.lists(st.integers(1, max(batch, 1)), max_size=3).map(tuple)
    gpus = draw(st.sets(st.integers(0, 3), max_size=4)) if device is Device.GPU else set()
    dynamic = draw(st.booleans())
    parameters = draw(st.dictionaries(st.sampled_from(sorted(BACKEND_PARAMETERS)), st.none()))
    triton = Triton(
        max_batch_size=batch,
        dynamic_batching=dynamic,
        preferred_batch_sizes=draw(sizes) if dynamic else (),
        queue_delay_microseconds=draw(st.integers(0, 10_000)) if dynamic else 0,
        warmup_batch_sizes=draw(sizes),
        instances=draw(st.integers(1, 8)),
        gpus=tuple(sorted(gpus)),
        parameters={key: True if BACKEND_PARAMETERS[key] is bool else 2 for key in parameters},
    )
    return ModelSettings(device=device, triton=triton, predictor=Predictor(gpus=4))


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(releases(), model_settings())
def test_triton_reads_what_was_meant(release: Release, model: ModelSettings) -> None:
    config = model_config_pb2.ModelConfig()
    text_format.Parse(config_pbtxt(release, model), config)
    triton, batched = model.triton, model.triton.max_batch_size > 0
    lead = [] if batched else [-1]
    assert (config.name, config.platform) == (release.name, "pytorch_libtorch")
    assert config.max_batch_size == triton.max_batch_size
    for found, wanted in ((config.input, release.inputs), (config.output, release.outputs)):
        assert [
            (item.name, model_config_pb2.DataType.Name(item.data_type), list(item.dims))
            for item in found
        ] == [(t.name, CONFIG_TYPES[t.dtype], [*lead, *t.dims]) for t in wanted]
    assert config.output[0].label_filename == ("labels.txt" if release.labels else "")
    (group,) = config.instance_group
    kind = "KIND_GPU" if model.device is Device.GPU else "KIND_CPU"
    assert model_config_pb2.ModelInstanceGroup.Kind.Name(group.kind) == kind
    assert (group.count, list(group.gpus)) == (triton.instances, list(triton.gpus))
    assert config.HasField("dynamic_batching") == (batched and triton.dynamic_batching)
    if config.HasField("dynamic_batching"):
        batching = config.dynamic_batching
        assert list(batching.preferred_batch_size) == list(triton.preferred_batch_sizes)
        assert batching.max_queue_delay_microseconds == triton.queue_delay_microseconds
    assert {key: value.string_value for key, value in config.parameters.items()} == {
        key: str(value).lower() for key, value in triton.parameters.items()
    }


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(releases(), model_settings())
def test_every_warmup_runs_each_input_from_its_file(release: Release, model: ModelSettings) -> None:
    config = model_config_pb2.ModelConfig()
    text_format.Parse(config_pbtxt(release, model), config)
    sizes = model.triton.warmup_batch_sizes
    assert len(config.model_warmup) == len(sizes)
    for warmup, size in zip(config.model_warmup, sizes, strict=True):
        assert warmup.batch_size == (size if model.triton.max_batch_size else 1)
        assert warmup.count == 2
        assert {name: item.input_data_file for name, item in warmup.inputs.items()} == {
            tensor.name: tensor.name for tensor in release.inputs
        }


@given(st.text())
def test_any_text_survives_quoting(text: str) -> None:
    config = model_config_pb2.ModelConfig()
    text_format.Parse(f"name: {quoted(text)}", config)
    assert config.name == text
