"""The proof that an endpoint serves a release: asked until it answers rightly, or can't."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from jobs.config import JobError
from jobs.verify.answers import check_metadata, check_outputs, check_prediction
from jobs.verify.endpoint import (
    HttpPredictor,
    NotReadyError,
    Predictor,
    Transformer,
    WrongAnswerError,
)
from jobs.verify.grpc_endpoint import GrpcPredictor
from jobs.verify.watch import FailedError, Watch

if TYPE_CHECKING:
    from jobs.config import Verify
    from jobs.progress import Progress
    from jobs.release import Release
    from jobs.verify.kubernetes import Cluster

__all__ = ["verify"]

# A first answer without warm-up may be slow; one that is lost in a rollout is asked for again.
REQUEST_SECONDS = 10.0
PAUSE_SECONDS = (0.2, 1.0)
# A rollout that is done and answers wrongly for this long won't get better.
WRONG_SECONDS = 15.0


def verify(job: Verify, release: Release, cluster: Cluster | None, progress: Progress) -> str:
    """What was proven, in a sentence. Raises FailedError, or JobError for a job of another release.

    Without a cluster only the endpoint is asked.
    """
    if release.digest != job.release_digest:
        raise JobError(f"release_digest: found {job.release_digest}; allowed: {release.digest}")
    return _Verification(job, release, Watch(cluster, job, progress), progress).run()


class _Verification:
    """One run; each look at everything starts anew, so that a pass is about one moment."""

    def __init__(self, job: Verify, release: Release, watch: Watch, progress: Progress) -> None:
        self.job, self.release, self.watch, self.progress = job, release, watch, progress
        self.predictor = _predictor(job)
        self.transformer = (
            Transformer(job.transformer_url, job.model, job.host_header)
            if job.transformer_url
            else None
        )
        self.wrong_since: float | None = None

    def run(self) -> str:
        pause, longest = PAUSE_SECONDS
        waits_for = ""
        while True:
            cause = self.watch.look()
            if cause is None:
                try:
                    return self._prove()
                except NotReadyError as error:
                    cause, self.wrong_since = str(error), None
                except WrongAnswerError as error:
                    cause = str(error)
                    self._judge(cause)
            # A look that the deadline cut short knows less than the one before.
            waits_for = waits_for if waits_for and self._left() <= 0 else cause
            self.progress.waits_for(waits_for)
            if self._left() <= pause:
                raise FailedError(
                    f"{self.job.service} does not serve release {self.release.digest[:12]} after "
                    f"{self.job.deadline_seconds:g} s; at last: {waits_for}{self.watch.hint()}"
                )
            time.sleep(pause)
            pause = min(pause * 1.5, longest)

    def _prove(self) -> str:
        """Readiness, then the signature, then every sample."""
        differences = []
        if self.predictor:
            self.predictor.check_ready(self._timeout())
            check_metadata(self.predictor.metadata(self._timeout()), self.release)
            differences.append(self._samples(self.predictor))
        if self.transformer:
            self.transformer.check_ready(self._timeout())
            differences.append(self._predictions(self.transformer))
        parts = {"predictor": self.predictor, "transformer": self.transformer}
        asked = " and ".join(name for name, part in parts.items() if part)
        return (
            f"{self.job.service} serves release {self.release.digest[:12]}: {asked} ready, "
            f"{'signature equal, ' if self.predictor else ''}{len(self.release.samples)} samples "
            f"answered within {self.job.tolerance:g} (largest difference {max(differences):.1e}), "
            f"after {self.progress.seconds:.1f} s"
        )

    def _samples(self, predictor: Predictor) -> float:
        """The predictor's largest difference from the samples' answers."""
        release, differences = self.release, []
        for number, sample in enumerate(release.samples):
            values = release.tensor(sample)
            found = predictor.infer(release.inputs[0], values, self._timeout())
            try:
                differences.append(check_outputs(found, sample, release, self.job.tolerance))
            except WrongAnswerError as error:
                raise WrongAnswerError(f"predictor, sample {number}: {error}") from error
        return max(differences)

    def _predictions(self, transformer: Transformer) -> float:
        """The transformer's, which gets all images in one request."""
        release, differences = self.release, []
        found = transformer.predict(release.samples, self._timeout())
        for number, (prediction, sample) in enumerate(zip(found, release.samples, strict=True)):
            try:
                differences.append(
                    check_prediction(prediction, sample, release, self.job.tolerance)
                )
            except WrongAnswerError as error:
                raise WrongAnswerError(f"transformer, sample {number}: {error}") from error
        return max(differences)

    def _judge(self, found: str) -> None:
        """Raises FailedError for a wrong answer that nothing will change."""
        now = time.monotonic()
        if not self.watch.settled:
            self.wrong_since = None
            return
        self.wrong_since = self.wrong_since or now
        if now - self.wrong_since >= WRONG_SECONDS:
            raise FailedError(f"{self.job.service} is rolled out and answers wrongly: {found}")

    def _left(self) -> float:
        return self.job.deadline_seconds - self.progress.seconds

    def _timeout(self) -> float:
        if self._left() <= 0:
            raise NotReadyError("it answers too slowly to be asked everything in time")
        return min(REQUEST_SECONDS, max(self._left(), 0.1))


def _predictor(job: Verify) -> Predictor | None:
    if job.predictor_url is None:
        return None
    if job.predictor_protocol == "grpc":
        return GrpcPredictor(job.predictor_url, job.model, job.host_header)
    return HttpPredictor(job.predictor_url, job.model, job.host_header)
