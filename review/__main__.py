"""Write the comment to standard output, or one line of error and exit with status 1."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from release.lock import Lock
from release.schema import ReleaseError
from review.comment import comment
from review.cost import Prices
from review.markdown import STACK, one_line
from review.preview import Preview
from review.reading import ReviewError, read

PRICES = Path(__file__).parent / "prices.json"


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m review", description=__doc__)
    parser.add_argument("--preview", type=Path, required=True, help="of pulumi preview --json")
    parser.add_argument("--stack", required=True, help="the stack's name, without organisation")
    parser.add_argument("--lock", type=Path, required=True, help="models.lock.json")
    parser.add_argument("--base-lock", type=Path, required=True, help="the same, of the base")
    parser.add_argument("--prices", type=Path, default=PRICES, help="the price table")
    options = parser.parse_args(arguments)
    try:
        sys.stdout.buffer.write(_comment(options).encode())
    except ReviewError as error:
        print(f"review: {error}", file=sys.stderr)
        return 1
    return 0


def _comment(options: argparse.Namespace) -> str:
    if not STACK.fullmatch(options.stack):
        raise ReviewError(
            f"--stack {one_line(repr(options.stack), 100)}: allowed: 1 to 100 of A-Z, a-z, 0-9, "
            "'_', '.' and '-'; the name without organisation and project"
        )
    return comment(
        options.stack,
        read(options.preview, Preview, "preview"),
        _read_lock(options.lock),
        _read_lock(options.base_lock),
        read(options.prices, Prices, "price table"),
    )


def _read_lock(path: Path) -> Lock:
    try:
        return Lock.from_json(path.read_bytes())
    except OSError as error:
        raise ReviewError(f"{path}: can't be read: {error.strerror}") from error
    except ReleaseError as error:
        raise ReviewError(f"{path}: {one_line(str(error))}") from error


if __name__ == "__main__":
    sys.exit(main())
