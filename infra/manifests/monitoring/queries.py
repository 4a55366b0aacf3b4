"""PromQL queries of a service, each with one value and no labels.

Triton counts in microseconds and from its start; its metrics are listed in its user guide. Those of
the transformer are in docs/transformer.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.manifests.monitoring.promql import number, quote, rate
from infra.manifests.names import COMPONENT_LABEL

if TYPE_CHECKING:
    from infra.manifests.monitoring.service import Service

# Window of all queries but burn rates.
WINDOW = "5m"
# Of `transformer_request_seconds`, in seconds: transformer/metrics.py.
# fmt: off
BUCKETS = (
    0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.075,
    0.1, 0.15, 0.2, 0.25, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 30, 60,
)
# fmt: on
# The client's own time: its body came late (408), or it went away (499).
TIMED = 'status!~"408|499"'
STAGES = ("decode", "predict")
# A request that its client cancelled is not a failure; the transformer counts it as 499.
FAILED = 'reason!="CANCELED"'
MICROSECONDS = 1_000_000


def request_rate(service: Service, window: str = WINDOW) -> str:
    """Requests a second that were answered, well or not."""
    if service.has_transformer:
        return rate(service.series("transformer_request_seconds_count"), window)
    return f"({_triton('request_success', service, window)} + {_failure_rate(service, window)})"


def error_ratio(service: Service, window: str = WINDOW) -> str:
    """Share of requests that failed by the service's fault; NaN without requests."""
    return f"({_failure_rate(service, window)} or vector(0)) / {request_rate(service, window)}"


def _failure_rate(service: Service, window: str) -> str:
    if service.has_transformer:
        failures = service.series("transformer_request_seconds_count", 'status=~"5.."')
        return rate(failures, window)
    return rate(service.series("nv_inference_request_failure", FAILED), window)


def slow_ratio(service: Service, bound: float, window: str = WINDOW) -> str:
    """Share of requests, failures included, that took longer than a bound, one of BUCKETS."""
    fast = rate(service.series("transformer_request_seconds_bucket", TIMED, _le(bound)), window)
    every = rate(service.series("transformer_request_seconds_count", TIMED), window)
    return f"1 - {fast} / {every}"


def _le(bound: float) -> str:
    """Whole bounds are written with or without their fraction, by who stored them."""
    if bound == int(bound):
        return f"le=~{quote(f'{int(bound)}([.]0)?')}"
    return f"le={quote(number(bound))}"


def latency_bound(p99_ms: float) -> float | None:
    """The largest bucket within an objective, so that what counts as fast meets it. None: there is
    no such bucket."""
    within = [bound for bound in BUCKETS if bound * 1000 <= p99_ms]
    return max(within, default=None)


def latency_quantile(service: Service, quantile: float) -> str:
    """Seconds a request took, failures included, interpolated between buckets."""
    buckets = service.series("transformer_request_seconds_bucket", TIMED)
    return f"histogram_quantile({number(quantile)}, sum by (le) (rate({buckets}[{WINDOW}])))"


def stage_mean(service: Service, stage: str) -> str:
    """Mean seconds of a request in one of STAGES."""
    total, count = (
        rate(service.series(f"transformer_stage_seconds_{kind}", f"stage={quote(stage)}"), WINDOW)
        for kind in ("sum", "count")
    )
    return f"{total} / {count}"


def latency_mean(service: Service) -> str:
    """Mean seconds in Triton, for services without a transformer."""
    return _seconds_a_request(service, "request_duration_us")


def queue_mean(service: Service) -> str:
    """Seconds a request waited in Triton's queue."""
    return _seconds_a_request(service, "queue_duration_us")


def compute_mean(service: Service) -> str:
    """Seconds a request's batch was computed: inputs, the model, outputs."""
    stages = ("compute_input", "compute_infer", "compute_output")
    return _seconds_a_request(service, *(f"{stage}_duration_us" for stage in stages))


def batch_size(service: Service) -> str:
    """Mean items of a batch: the dynamic batcher's work."""
    return f"{_triton('count', service)} / {_triton('exec_count', service)}"


def gpu_utilisation(service: Service) -> str:
    """Mean over GPUs, 0 to 1."""
    return f"avg({service.series('nv_gpu_utilization')})"


def gpu_memory(service: Service) -> str:
    """Share of the GPUs' memory that is taken."""
    used, total = (service.series(f"nv_gpu_memory_{kind}_bytes") for kind in ("used", "total"))
    return f"sum({used}) / sum({total})"


def replicas(service: Service, component: str) -> str:
    """Pods that answer their scraper."""
    up = service.series("up", f"{COMPONENT_LABEL}={quote(component)}")
    return _pods(f"{up} == 1")


def ready(service: Service, component: str) -> str:
    """Pods that have started: Triton lists a model only once it is loaded and warm."""
    if component == "transformer" and not service.has_transformer:
        # A server of the user's own, of which only the scrapes are known.
        return replicas(service, component)
    triton = component == "predictor"
    metric = "nv_inference_request_success" if triton else "transformer_requests_in_flight"
    return _pods(service.series(metric))


def _pods(series: str) -> str:
    """The number of pods in these series; 0 where there are none."""
    return f"(count(count by (pod) ({series})) or vector(0))"


def _triton(metric: str, service: Service, window: str = WINDOW) -> str:
    return rate(service.series(f"nv_inference_{metric}"), window)


def _seconds_a_request(service: Service, *metrics: str) -> str:
    spent = " + ".join(_triton(metric, service) for metric in metrics)
    return f"({spent}) / {_triton('request_success', service)} / {MICROSECONDS}"
