"""A verification: request the endpoint until it serves the release, or can't any more."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

from jobs.config import JobError
from jobs.samples import exchanges, sample_inputs
from jobs.verify.answers import check_metadata, check_outputs, check_predictions
from jobs.verify.endpoint import (
    GrpcPredictor,
    HttpPredictor,
    NotReadyError,
    Predictor,
    Transformer,
    WrongAnswerError,
)
from jobs.verify.rollout import component
from jobs.verify.watch import FailedError, Watch
from release.schema import short

if TYPE_CHECKING:
    from jobs.config import VerifyConfig
    from jobs.progress import Progress
    from jobs.verify.kubernetes import Cluster
    from release.schema import Release

__all__ = ["verify"]

# The first answer without warm-up may be slow; a request lost in a rollout is sent again.
REQUEST_SECONDS = 10.0
PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.2, 1.0
# How long a finished rollout may answer wrongly before the verification fails.
WRONG_SECONDS = 15.0


def verify(
    config: VerifyConfig, release: Release, cluster: Cluster | None, progress: Progress
) -> str:
    """Verify an endpoint; return the result as a sentence.

    Without a cluster only the endpoint is examined. Raises FailedError, or JobError when `release`
    is not the configured one.
    """
    if release.digest != config.release_digest:
        raise JobError(f"release_digest: found {config.release_digest}; allowed: {release.digest}")
    return _Verification(config, release, Watch(cluster, config, progress), progress).run()


class _Verification:
    """One run. Each attempt repeats all checks, so that a pass holds for one point in time."""

    def __init__(
        self, config: VerifyConfig, release: Release, watch: Watch, progress: Progress
    ) -> None:
        self.config, self.release, self.watch, self.progress = config, release, watch, progress
        triton, url = config.predictor_url, config.transformer_url
        self.predictor = _predictor(triton, config) if triton else None
        self.transformer = Transformer(url, config.model) if url else None
        self.exchanges = () if config.predictions == "none" else exchanges(release)
        self.wrong_since: float | None = None

    def run(self) -> str:
        pause, reason = PAUSE_SECONDS, ""
        while True:
            unfinished = self.watch.check()
            if unfinished is None:
                try:
                    return self._check()
                except NotReadyError as error:
                    unfinished, self.wrong_since = str(error), None
                except WrongAnswerError as error:
                    unfinished = str(error)
                    self._fail_if_final(unfinished)
            # An attempt that the deadline cut short knows less than the one before.
            reason = reason if reason and self._left() <= 0 else unfinished
            self.progress.waiting(reason)
            if self._left() <= pause:
                raise FailedError(
                    f"{self.config.service} does not serve release {short(self.release.digest)} "
                    f"after {self.config.deadline_seconds:g} s; at last: {reason}"
                    f"{self.watch.hint()}"
                )
            time.sleep(pause)
            pause = min(pause * 1.5, LONGEST_PAUSE_SECONDS)

    def _check(self) -> str:
        """Check readiness, the signature, every sample and exchange; then each pod likewise."""
        differences = []
        if self.predictor:
            differences.append(self._check_predictor("predictor", self.predictor))
        if self.transformer:
            differences.append(self._check_transformer("transformer", self.transformer))
        if self.config.outer_url:
            differences.append(self._check_outer(self.config.outer_url))
        pods = self._check_pods()
        return self._passed(max([*differences, *pods]), len(pods))

    def _check_predictor(self, name: str, predictor: Predictor) -> float:
        predictor.check_ready(self._timeout())
        try:
            check_metadata(predictor.metadata(self._timeout()), self.release)
        except WrongAnswerError as error:
            raise WrongAnswerError(f"{name}: {error}") from error
        return self._check_samples(name, predictor)

    def _check_transformer(self, name: str, transformer: Transformer) -> float:
        transformer.check_ready(self._timeout())
        difference = self._check_exchanges(name, transformer)
        if self._by_v2:
            difference = max(difference, self._check_samples(name, transformer))
        return difference

    def _check_outer(self, url: str) -> float:
        """Check what clients outside the cluster ask."""
        model = self.config.model
        try:
            if self.config.transformer_url:
                return self._check_transformer(url, Transformer(url, model))
            return self._check_predictor(url, HttpPredictor(url, model))
        except (NotReadyError, WrongAnswerError) as error:
            raise type(error)(f"outside the cluster, {error}{self.watch.reported()}") from error

    def _check_pods(self) -> list[float]:
        """Check every ready pod at its own address; a Service may leave one out.

        Returns the largest difference of each.
        """
        config, found = self.config, []
        for pod in self.watch.serving():
            name, address = f"pod {pod['metadata']['name']}", pod.get("status", {}).get("podIP")
            if not address:
                continue
            host = f"[{address}]" if ":" in address else address
            # A collocated transformer answers in the predictor's pods.
            if config.predictor_port and component(pod) == "predictor":
                with closing(_predictor(f"{host}:{config.predictor_port}", config)) as predictor:
                    found.append(self._check_predictor(name, predictor))
            elif config.transformer_port:
                transformer = Transformer(f"http://{host}:{config.transformer_port}", config.model)
                found.append(self._check_transformer(name, transformer))
        return found

    @property
    def _by_v2(self) -> bool:
        """Whether the transformer gets tensors: what exchanges don't show, or V1 can't carry."""
        own = self.config.predictions == "none"
        return not own and (self.release.handler is not None or not self.exchanges)

    def _passed(self, difference: float, pods: int) -> str:
        parts = {"predictor": self.predictor, "transformer": self.transformer}
        passed = [f"{' and '.join(name for name, part in parts.items() if part)} ready"]
        if self.predictor:
            passed.append("signature equal")
        answered = [_count(len(self.release.samples), "sample")]
        if self.transformer and self.release.handler and self.exchanges:
            equal = self.config.predictions == "equal"
            counted = _count(len(self.exchanges), "exchange")
            answered.append(counted if equal else f"{counted} (not compared)")
        if self.predictor or self.config.predictions != "none":
            passed.append(
                f"{' and '.join(answered)} answered within {self.config.tolerance:g} "
                f"(largest difference {difference:.1e})"
            )
        if self.config.outer_url:
            passed.append(f"{self.config.outer_url} too")
        if pods:
            passed.append(f"{_count(pods, 'pod')} asked at their own addresses")
        return (
            f"{self.config.service} serves release {short(self.release.digest)}: "
            f"{', '.join(passed)}, after {self.progress.seconds:.1f} s"
        )

    def _check_samples(self, name: str, part: Predictor | Transformer) -> float:
        """Return the largest difference from the samples' outputs, by V2."""
        release, differences = self.release, []
        for number, sample in enumerate(release.samples):
            values = sample_inputs(release, sample)
            try:
                found = part.infer(release.inputs, values, self._timeout())
                differences.append(check_outputs(found, sample, release, self.config.tolerance))
            except WrongAnswerError as error:
                raise WrongAnswerError(f"{name}, sample {number}: {error}") from error
        return max(differences)

    def _check_exchanges(self, name: str, transformer: Transformer) -> float:
        """Return the largest difference from the predictions, by V1."""
        differences = [0.0]
        for number, exchange in enumerate(self.exchanges):
            try:
                found = transformer.predict(exchange.instances, self._timeout())
                if self.config.predictions == "equal":
                    wanted = exchange.predictions
                    differences.append(check_predictions(found, wanted, self.config.tolerance))
            except WrongAnswerError as error:
                raise WrongAnswerError(f"{name}, request {number}: {error}") from error
        return max(differences)

    def _fail_if_final(self, found: str) -> None:
        """Raise FailedError for a wrong answer long after the rollout."""
        now = time.monotonic()
        if not self.watch.settled:
            self.wrong_since = None
            return
        self.wrong_since = self.wrong_since or now
        if now - self.wrong_since >= WRONG_SECONDS:
            raise FailedError(f"{self.config.service} is rolled out and answers wrongly: {found}")

    def _left(self) -> float:
        return self.config.deadline_seconds - self.progress.seconds

    def _timeout(self) -> float:
        if self._left() <= 0:
            raise NotReadyError("it answers too slowly to check everything before the deadline")
        return min(REQUEST_SECONDS, max(self._left(), 0.1))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _predictor(url: str, config: VerifyConfig) -> Predictor:
    """`url` is HOST:PORT, or one with a scheme."""
    if config.predictor_protocol == "grpc":
        return GrpcPredictor(url, config.model)
    return HttpPredictor(url if "://" in url else f"http://{url}", config.model)
