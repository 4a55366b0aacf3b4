"""config.pbtxt for any signature and any settings, parsed back with Triton's own protobuf."""

from __future__ import annotations

import numpy as np
import pytest
from google.protobuf import text_format
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tritonclient.grpc import model_config_pb2

from infra.config import ModelSettings, Predictor, Triton
from infra.config.types import Device
from infra.manifests.model_config import BACKENDS, DEFAULTS, config_pbtxt, quoted
from release.schema import CONFIG_TYPES, FORMAT_TYPES, File, Format, Release, Tensor, Warmup
from tests.release import examples

SHA = "0" * 64
DIMS = st.lists(st.integers(1, 4096) | st.just(-1), min_size=1, max_size=4)
LABELS = st.lists(
    st.text(st.characters(exclude_characters="\n"), max_size=12), min_size=1, max_size=4
)


@st.composite
def tensors(draw: st.DrawFn, kind: str, format: Format, batching: bool) -> tuple[Tensor, ...]:
    made = []
    for at in range(draw(st.integers(1, 4))):
        dtype = draw(st.sampled_from(FORMAT_TYPES[format]))
        labels = tuple(draw(st.just([]) | LABELS)) if kind == "OUTPUT" else ()
        dims = tuple(draw(DIMS))
        if labels:
            dims = (*dims[:-1], len(labels))
        scalar = batching and not labels and draw(st.booleans())
        made.append(Tensor(f"{kind}__{at}", dtype, (1,) if scalar else dims, labels, scalar))
    return tuple(made)


@st.composite
def releases(draw: st.DrawFn) -> Release:
    format = draw(st.sampled_from(sorted(BACKENDS)))
    batching = draw(st.booleans())
    inputs = draw(tensors("INPUT", format, batching))
    rows = {each.name: tuple(abs(dim) for dim in each.dims) for each in inputs}
    return Release(
        name=draw(st.from_regex(r"[a-z]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)),
        format=format,
        model=File(SHA, 1),
        torch="2.12.1",
        batching=batching,
        inputs=inputs,
        outputs=draw(tensors("OUTPUT", format, batching)),
        samples=(),
        warmup={name: Warmup(SHA, shape) for name, shape in rows.items()},
    )


@st.composite
def model_settings(draw: st.DrawFn) -> ModelSettings:
    device = draw(st.sampled_from(Device))
    batch = draw(st.integers(0, 64))
    sizes = st.lists(st.integers(1, max(batch, 1)), max_size=3).map(tuple)
    gpus = draw(st.sets(st.integers(0, 3), max_size=4)) if device is Device.GPU else set()
    dynamic = draw(st.booleans())
    values = st.booleans() | st.integers(1, 9) | st.text(max_size=9)
    parameters = draw(
        st.dictionaries(st.sampled_from(["A", "b.c", "intra_op_thread_count"]), values)
    )
    names = ["cuda", "tensorrt"] if device is Device.GPU else ["openvino"]
    accelerators = st.dictionaries(
        st.sampled_from(names), st.dictionaries(st.sampled_from(["x", "y"]), values)
    )
    triton = Triton(
        max_batch_size=batch,
        dynamic_batching=dynamic,
        preferred_batch_sizes=draw(sizes) if dynamic else (),
        queue_delay_microseconds=draw(st.integers(0, 10_000)) if dynamic else 0,
        warmup_batch_sizes=draw(sizes),
        instances=draw(st.integers(1, 8)),
        gpus=tuple(sorted(gpus)),
        parameters=parameters,
        accelerators=draw(accelerators),
        graph_optimization=draw(st.sampled_from(["all", "extended", "basic", "none"])),
    )
    return ModelSettings(device=device, triton=triton, predictor=Predictor(gpus=4))


def parsed(release: Release, model: ModelSettings) -> model_config_pb2.ModelConfig:
    config = model_config_pb2.ModelConfig()
    text_format.Parse(config_pbtxt(release, model), config)
    return config


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(releases(), model_settings())
def test_triton_reads_what_was_meant(release: Release, model: ModelSettings) -> None:
    config, triton = parsed(release, model), model.triton
    batched = release.batching and triton.max_batch_size > 0
    lead = [-1] if release.batching and not batched else []
    assert (config.name, config.backend, config.platform) == (
        release.name,
        *BACKENDS[release.format],
    )
    assert config.default_model_filename == release.model_file
    assert config.max_batch_size == (triton.max_batch_size if batched else 0)
    for found, wanted in ((config.input, release.inputs), (config.output, release.outputs)):
        assert [
            (item.name, model_config_pb2.DataType.Name(item.data_type), list(item.dims))
            for item in found
        ] == [(t.name, CONFIG_TYPES[t.dtype], [*lead, *t.dims]) for t in wanted]
        assert [item.HasField("reshape") for item in found] == [t.scalar for t in wanted]
        assert all(list(item.reshape.shape) == lead for item in found if item.HasField("reshape"))
    assert [item.label_filename for item in config.output] == [
        f"labels/{t.name}" if t.labels else "" for t in release.outputs
    ]
    (group,) = config.instance_group
    kind = "KIND_GPU" if model.device is Device.GPU else "KIND_CPU"
    assert model_config_pb2.ModelInstanceGroup.Kind.Name(group.kind) == kind
    assert (group.count, list(group.gpus)) == (triton.instances, list(triton.gpus))
    # The PyTorch backend gives each request of such a batch the texts of the first.
    mixed = release.format == "torchscript" and "BYTES" in [t.dtype for t in release.outputs]
    wanted = batched and triton.dynamic_batching and not mixed
    assert config.HasField("dynamic_batching") == wanted
    if config.HasField("dynamic_batching"):
        batching = config.dynamic_batching
        assert list(batching.preferred_batch_size) == list(triton.preferred_batch_sizes)
        assert batching.max_queue_delay_microseconds == triton.queue_delay_microseconds


def plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(releases(), model_settings())
def test_parameters_and_accelerators_reach_the_backend(
    release: Release, model: ModelSettings
) -> None:
    config, triton = parsed(release, model), model.triton
    assert {key: value.string_value for key, value in config.parameters.items()} == {
        key: plain(value)
        for key, value in (DEFAULTS.get(release.format, {}) | triton.parameters).items()
    }
    levels = {"all": 0, "extended": 1, "basic": -1, "none": 2}
    assert config.optimization.graph.level == levels[triton.graph_optimization]
    accelerators = config.optimization.execution_accelerators
    found = [*accelerators.gpu_execution_accelerator, *accelerators.cpu_execution_accelerator]
    assert {each.name: dict(each.parameters) for each in found} == {
        name: {key: plain(value) for key, value in values.items()}
        for name, values in triton.accelerators.items()
    }


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(releases(), model_settings())
def test_every_warmup_runs_each_input_from_its_file(release: Release, model: ModelSettings) -> None:
    config, triton = parsed(release, model), model.triton
    batched = config.max_batch_size > 0
    sizes = triton.warmup_batch_sizes
    assert [each.batch_size for each in config.model_warmup] == list(
        sizes if batched else sizes[:1]
    )
    for warmup in config.model_warmup:
        assert warmup.count == 2
        assert {name: item.input_data_file for name, item in warmup.inputs.items()} == {
            tensor.name: tensor.name for tensor in release.inputs
        }
        for tensor in release.inputs:
            dims = list(warmup.inputs[tensor.name].dims)
            row = dims if batched or not release.batching else dims[1:]
            assert np.prod(dims) == np.prod(release.warmup[tensor.name].shape)
            assert len(row) == len(tensor.dims)


@pytest.mark.parametrize("format", ["torchscript", "onnx"])
def test_texts_are_strings_to_triton(format: Format) -> None:
    inputs = (Tensor("INPUT__0", "BYTES", (1,), scalar=True),)
    release = examples.texts(format=format, inputs=inputs, samples=(), exchanges=(), warmup={})
    found = parsed(release, ModelSettings(triton=Triton(warmup_batch_sizes=()))).input[0]
    assert model_config_pb2.DataType.Name(found.data_type) == "TYPE_STRING"
    assert (list(found.dims), list(found.reshape.shape)) == ([1], [])


@given(st.text())
def test_any_text_survives_quoting(text: str) -> None:
    config = model_config_pb2.ModelConfig()
    text_format.Parse(f"name: {quoted(text)}", config)
    assert config.name == text
