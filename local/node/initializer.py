"""The storage initializer's entry point: `initializer.py SOURCE FOLDER [SOURCE FOLDER …]`.

The real kserve-storage does the work; the image has nothing else of note.
"""

from __future__ import annotations

import sys

from kserve_storage import Storage


def main() -> None:
    arguments = sys.argv[1:]
    if not arguments or len(arguments) % 2:
        sys.exit("usage: SOURCE FOLDER [SOURCE FOLDER ...]")
    for source, folder in zip(arguments[::2], arguments[1::2], strict=True):
        print(f"Downloading {source} to {folder}", flush=True)
        Storage.download(source, folder)


if __name__ == "__main__":
    main()
