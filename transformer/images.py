"""Pictures from clients: decoded within limits of memory and time, into the network's input."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from release import instances
from release.images import Converter
from release.schema import DTYPES
from transformer.body import SMALL_BODY_BYTES
from transformer.errors import RequestError
from transformer.picture_file import (
    DECODE_SECONDS,
    MAX_DECODE_BYTES,
    RGB_BYTES,
    SlowPictureError,
    open_image,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from PIL import Image

    from release.schema import Release
    from transformer.deadline import Deadline
    from transformer.threads import Threads

__all__ = ["Pictures", "decode_base64"]

# After this time the thread does other requests' work, before it goes on with further pictures.
TURN_SECONDS = 0.05
# Requests up to these sizes are decoded on the event loop: a thread takes longer to wake up.
INLINE_PICTURES = 8
INLINE_PIXELS = 64 * 1024
INLINE_SECONDS = 0.005


class Pictures:
    """The built-in preprocessing of an image model."""

    def __init__(self, release: Release, threads: Threads) -> None:
        assert release.image is not None
        (self.tensor,) = release.inputs
        self.converter = Converter(release.image)
        self.threads = threads

    async def decode(
        self, pictures: Sequence[str | bytes], where: str, deadline: Deadline
    ) -> dict[str, NDArray[Any]]:
        """Files, or their base64, as the input [N, 3, height, width]. Raises RequestError.

        `where` is the list's name in an error.
        """
        batch = np.empty((len(pictures), *self.tensor.dims), DTYPES[self.tensor.dtype])
        done = len(pictures) if self._decode_inline(pictures, batch, where) else 0
        while done < len(pictures):
            done = await self.threads.run(self._decode_some, pictures, done, batch, where, deadline)
        return {self.tensor.name: batch}

    def _decode_inline(
        self, pictures: Sequence[str | bytes], batch: NDArray[Any], where: str
    ) -> bool:
        """Whether they are decoded now, since that takes no time."""
        if len(pictures) > INLINE_PICTURES or sum(map(len, pictures)) > SMALL_BODY_BYTES:
            return False
        try:
            opened = [
                self._open(each, where, index, INLINE_SECONDS)
                for index, each in enumerate(pictures)
            ]
            if sum(image.width * image.height for image in opened) > INLINE_PIXELS:
                return False
            for index, image in enumerate(opened):
                self._convert(image, batch[index], where, index)
        except SlowPictureError:
            return False
        return True

    def _decode_some(
        self,
        pictures: Sequence[str | bytes],
        first: int,
        batch: NDArray[Any],
        where: str,
        deadline: Deadline,
    ) -> int:
        """Decode pictures for TURN_SECONDS; the number of the next one."""
        end = time.monotonic() + TURN_SECONDS
        for index in range(first, len(pictures)):
            if deadline.passed():
                raise deadline.error()
            try:
                image = self._open(pictures[index], where, index, DECODE_SECONDS)
                self._convert(image, batch[index], where, index)
            except SlowPictureError as error:
                raise error.at(f"{where}[{index}]") from error
            if time.monotonic() > end:
                return index + 1
        return len(pictures)

    def _open(self, picture: str | bytes, where: str, index: int, seconds: float) -> Image.Image:
        try:
            data = decode_base64(picture) if isinstance(picture, str) else picture
            image = open_image(data, seconds)
        except SlowPictureError:
            raise
        except RequestError as error:
            raise error.at(f"{where}[{index}]") from error
        width, height = self.converter.scaled_size(image.size)
        if width * height * RGB_BYTES > MAX_DECODE_BYTES:
            raise RequestError(
                413,
                f"{where}[{index}]: {image.width}×{image.height} pixels: too narrow to scale",
            )
        return image

    def _convert(self, image: Image.Image, into: NDArray[Any], where: str, index: int) -> None:
        try:
            self.converter.convert(image, into)
        except SlowPictureError:
            raise
        # Decoders raise errors of many types: SyntaxError, EOFError, struct.error, OSError, ...
        except Exception as error:
            message = f"{image.format} can't be decoded: {str(error)[:200]}"
            raise RequestError(400, message).at(f"{where}[{index}]") from error


def decode_base64(text: str) -> bytes:
    """The bytes. Raises RequestError."""
    try:
        return instances.decode_base64(text)
    except ValueError as error:
        allowed = "base64, base64url, or a data URI of base64"
        raise RequestError(400, f"wrong base64: {error}; allowed: {allowed}") from error
