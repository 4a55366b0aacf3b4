"""Example inputs of a definition, as arrays: checked, put together to batches, taken apart."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError

from model.definition import Pictures
from release.images import Converter
from release.schema import DTYPES, ReleaseError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from model.definition import Definition

__all__ = ["NUMBERS", "V2_TYPES", "Arrays", "Examples", "check", "read"]

# One array for each input of the network.
Arrays: TypeAlias = tuple["NDArray[Any]", ...]
V2_TYPES = {name: dtype for dtype, name in DTYPES.items()}
NUMBERS = ", ".join(name for name in V2_TYPES if name != "object")
# Sizes at which the exported network is compared with the eager one.
BATCH_SIZES = (1, 2, 7, 32)
# Batches of each size that are run, where there are as many examples.
MOST_BATCHES = 8
# Larger batches are left out, since a network's memory is many times its input's.
MOST_BYTES = 64 << 20
MOST_PICTURES = BATCH_SIZES[-1] * MOST_BATCHES


@dataclass(frozen=True)
class Examples:
    """Batches, or whole calls where there is no batching; `pictures` are those of an image model.

    Texts are arrays of bytes.
    """

    batches: tuple[Arrays, ...]
    batching: bool
    pictures: Pictures | None = None

    def rows(self) -> list[Arrays]:
        """Batches of one: of each batch the first, then of each the second, and so on."""
        if not self.batching:
            return list(self.batches)
        most = max(len(batch[0]) for batch in self.batches)
        return [
            tuple(item[index : index + 1] for item in batch)
            for index in range(most)
            for batch in self.batches
            if index < len(batch[0])
        ]

    def parts(self) -> list[Arrays]:
        """The batches, in parts that a network takes without much memory; two rows or more each."""
        if not self.batching:
            return list(self.batches)
        return [
            tuple(item[start : start + size] for item in batch)
            for batch in self.batches
            for size in [max(2, _sizes(batch)[-1])]
            for start in range(0, max(1, len(batch[0]) - 1), size)[:MOST_BATCHES]
        ]

    def resized(self) -> Iterator[Arrays]:
        """Batches of BATCH_SIZES, of rows that have the same shapes, repeated if they are few."""
        if not self.batching:
            yield from self.batches
            return
        groups: dict[Any, list[Arrays]] = {}
        for batch in self.batches:
            groups.setdefault(tuple(item.shape[1:] for item in batch), []).append(batch)
        for group in groups.values():
            joined = [np.concatenate(items) for items in zip(*group, strict=True)]
            for size in _sizes(joined):
                starts = range(0, max(1, min(MOST_BATCHES, len(joined[0]) // size)))
                for start in starts:
                    chosen = np.arange(start * size, (start + 1) * size) % len(joined[0])
                    yield tuple(item[chosen] for item in joined)


def _sizes(batch: Sequence[NDArray[Any]]) -> list[int]:
    """Those of BATCH_SIZES at which the inputs aren't too large; 1 at least."""
    row = sum(item.nbytes for item in batch) // len(batch[0])
    return [size for size in BATCH_SIZES if size == 1 or size * row <= MOST_BYTES]


def read(definition: Definition, network: torch.nn.Module) -> Examples:
    """Call `examples`. Raises ReleaseError, which names the wrong batch and input."""
    found = definition.examples()
    if definition.image is not None:
        if not isinstance(found, Pictures):
            raise ReleaseError(
                f"examples: found a {type(found).__name__}; allowed with an image block: Pictures"
            )
        found = _first_pictures(found)
        half = next((each.dtype for each in network.parameters()), None) == torch.float16
        batch = _convert(found, definition, np.float16 if half else np.float32)
        return Examples((batch,), batching=True, pictures=found)
    if isinstance(found, Pictures):
        raise ReleaseError("examples: Pictures, and no image block; add image=ImageInput(…)")
    return check(found, batching=definition.batching)


def check(found: Any, *, batching: bool) -> Examples:
    """A list of batches as examples. Raises ReleaseError, which names the wrong batch and input."""
    batches = tuple(_batch(batch, number) for number, batch in enumerate(_list(found)))
    for number, batch in enumerate(batches):
        _check_equal(batch, batches[0], number, batching=batching)
    return Examples(batches, batching)


def _first_pictures(pictures: Pictures) -> Pictures:
    """Not more than MOST_PICTURES, one of each label first. Raises ReleaseError."""
    files, labels = pictures.files, pictures.labels
    if len(files) < 2:
        raise ReleaseError(f"examples: {len(files)} pictures; allowed: two or more")
    if not labels:
        return Pictures(files[:MOST_PICTURES])
    if len(labels) != len(files):
        raise ReleaseError(
            f"examples: {len(labels)} labels of {len(files)} pictures; allowed: one each, or none"
        )
    firsts = sorted({label: row for row, label in reversed(list(enumerate(labels)))}.values())
    first = set(firsts)
    order = [*firsts, *(row for row in range(len(files)) if row not in first)][:MOST_PICTURES]
    return Pictures([files[row] for row in order], [labels[row] for row in order])


def _convert(pictures: Pictures, definition: Definition, dtype: type) -> Arrays:
    how = definition.image
    assert how is not None
    made = np.empty((len(pictures.files), 3, how.height, how.width), dtype)
    converter = Converter(how)
    for number, (file, into) in enumerate(zip(pictures.files, made, strict=True)):
        try:
            with Image.open(io.BytesIO(file)) as image:
                converter.convert(image, into)
        except (UnidentifiedImageError, OSError, ValueError, TypeError) as error:
            raise ReleaseError(
                f"examples: picture {number}: {error}; allowed: the bytes of a PNG or JPEG file"
            ) from error
    return (made,)


def _list(found: Any) -> Sequence[Any]:
    if not isinstance(found, (list, tuple)) or not found:
        raise ReleaseError(
            f"examples: found {'none' if found in ([], ()) else f'a {type(found).__name__}'}; "
            "allowed: a list of batches, each a tuple with one array for each argument of forward()"
        )
    return found


def _batch(batch: Any, number: int) -> Arrays:
    if not isinstance(batch, (tuple, list)) or not batch:
        raise ReleaseError(
            f"examples: batch {number} is a {type(batch).__name__}; allowed: a tuple with one "
            "array for each argument of forward(), (x,) for one"
        )
    return tuple(
        _array(item, f"examples: batch {number}, input {index}") for index, item in enumerate(batch)
    )


def _array(item: Any, where: str) -> NDArray[Any]:
    if isinstance(item, torch.Tensor):
        if str(item.dtype).removeprefix("torch.") not in V2_TYPES:
            raise ReleaseError(
                f"{where} has dtype {item.dtype}; allowed: {NUMBERS}; convert it in forward()"
            )
        item = item.detach().cpu().numpy()
    if isinstance(item, list) and item and all(isinstance(text, str) for text in item):
        item = np.array(item, object)
    if not isinstance(item, np.ndarray):
        raise ReleaseError(
            f"{where} is a {type(item).__name__}; allowed: a tensor, a numpy array or a list of str"
        )
    if item.dtype.kind in "UO":
        return _texts(item, where)
    if item.dtype.name not in V2_TYPES:
        raise ReleaseError(f"{where} has dtype {item.dtype}; allowed: {NUMBERS}")
    if item.dtype.kind == "f" and not np.isfinite(item).all():
        raise ReleaseError(f"{where} has NaN or infinite values; give real inputs")
    return item


def _texts(item: NDArray[Any], where: str) -> NDArray[Any]:
    made = np.empty(item.shape, object)
    for index, text in np.ndenumerate(item):
        if not isinstance(text, str):
            raise ReleaseError(f"{where} holds a {type(text).__name__}; allowed: str")
        made[index] = text.encode()
    return made


def _check_equal(batch: Arrays, first: Arrays, number: int, *, batching: bool) -> None:
    """Raises ReleaseError if a batch has other inputs than the first, or unequal rows."""
    for index, (item, wanted) in enumerate(zip(batch, first, strict=False)):
        if (item.dtype, item.ndim) != (wanted.dtype, wanted.ndim):
            raise ReleaseError(
                f"examples: batch {number}, input {index} is {item.dtype} {list(item.shape)}, in "
                f"batch 0 {wanted.dtype} {list(wanted.shape)}; allowed: one dtype, and as many "
                "dimensions"
            )
    if len(batch) != len(first):
        raise ReleaseError(
            f"examples: batch {number} has {len(batch)} inputs, batch 0 {len(first)}; allowed: one "
            "for each argument of forward()"
        )
    if not batching:
        return
    rows = [len(item) if item.ndim else 0 for item in batch]
    if len(set(rows)) > 1 or rows[0] < 2:
        raise ReleaseError(
            f"examples: batch {number} has {' and '.join(map(str, rows))} rows; allowed: two or "
            "more, as many in each input; a network without a batch dimension: batching=False"
        )
