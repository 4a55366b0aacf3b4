"""The transfers around a compilation: `python -m jobs.compile COMMAND`, in the Jobs' image.

    fetch gs://BUCKET/OBJECT SHA256 FOLDER    the exported program, and compile.py, into a folder
    upload FILE gs://BUCKET/OBJECT            the compiled package, unless there is one

Between them `python FOLDER/compile.py` runs in a container with PyTorch. Exit status: 0 done,
1 failed.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from jobs import gcs
from jobs.http_client import UnreachableError
from jobs.progress import finish

if TYPE_CHECKING:
    from collections.abc import Sequence

PROGRAM, COMPILE = "program.pt2", "compile.py"
BINARY = "application/octet-stream"


class TransferError(Exception):
    """A transfer failed; the message says why."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m jobs.compile", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("fetch", help="fetch an exported program")
    command.add_argument("source")
    command.add_argument("sha256")
    command.add_argument("folder", type=Path)
    command = commands.add_parser("upload", help="upload a compiled package")
    command.add_argument("file", type=Path)
    command.add_argument("target")
    arguments = parser.parse_args(argv)
    try:
        if arguments.command == "fetch":
            message = fetch(arguments.source, arguments.sha256, arguments.folder)
        else:
            message = upload(arguments.file, arguments.target)
    except (TransferError, gcs.StorageError, UnreachableError, OSError) as error:
        finish(f"{arguments.command}: {error}")
        return 1
    finish(message)
    return 0


def fetch(source: str, sha256: str, folder: Path) -> str:
    """Fetch a program and check its SHA-256; put compile.py beside it. Raises TransferError."""
    shutil.copyfile(Path(__file__).with_name(COMPILE), folder / COMPILE)
    with (folder / PROGRAM).open("w+b") as file:
        answer = gcs.download(source, file)
        if answer.status != 200:
            raise TransferError(f"{source}: {answer}")
        file.seek(0)
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise TransferError(f"{source} has SHA-256 {found}, wanted {sha256}: it was changed")
    return f"{source}: fetched and checked"


def upload(file: Path, target: str) -> str:
    """Upload a package unless there is one, whose program was the same. Raises TransferError."""
    with file.open("rb") as content:
        answer = gcs.upload(content, target, BINARY)
    if gcs.is_there(answer):
        return f"{target} is there: an earlier attempt compiled it"
    if answer.status != 200:
        raise TransferError(f"{target}: {answer}")
    return f"{target}: {file.stat().st_size:,} bytes"


if __name__ == "__main__":
    sys.exit(main())
