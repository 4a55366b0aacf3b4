"""`python -m model COMMAND`: a release, from source to the lock, and from one stack to the next."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from release import files, lock, promotion
from release.schema import Release, ReleaseError, short

ROOT = Path(__file__).parents[1]


def main(argv: list[str] | None = None) -> int:
    """Exit status: 0, 1 after a line with the error, or 130 after Ctrl-C."""
    arguments = parser().parse_args(argv)
    try:
        arguments.run(arguments)
    except ReleaseError as error:
        print(f"{arguments.name or arguments.command}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; nothing was written", file=sys.stderr)
        return 130
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(prog="python -m model", description=__doc__)
    made.set_defaults(name=None)
    commands = made.add_subparsers(required=True, metavar="COMMAND", dest="command")
    for run, text in (
        (build, "train, trace and write a release; --pin: make it the one that stacks deploy"),
        (show, "print a summary of the release"),
        (verify, "compare the digests of its files, and the answers to its samples"),
    ):
        command = commands.add_parser(run.__name__, help=text, description=text)
        command.add_argument("name", metavar="NAME", help="a module of model/definitions/")
        _folders(command)
        command.set_defaults(run=run)
        if run is build:
            command.add_argument("--pin", action="store_true", help="write models.lock.json")
            command.add_argument("--data", type=Path, help="folder with the data, or its archive")
    for add in (promotion.add_push, promotion.add_pull, promotion.add_prove, promotion.add_prune):
        _folders(add(commands))
    return made


def _folders(command: argparse.ArgumentParser) -> None:
    command.add_argument("--out", type=Path, default=ROOT / "build", help="default: build/")
    command.add_argument("--lock", type=Path, default=ROOT / "models.lock.json")


def build(arguments: argparse.Namespace) -> None:
    """Train and write; with --pin also the lock."""
    # torch takes seconds to import, so wrong arguments are refused before.
    from model import build as building

    built = building.build(building.definition(arguments.name), arguments.data)
    folder = building.write(built, arguments.out)
    if arguments.pin:
        lock.pin(arguments.lock, built.release)
        files.keep(folder, arguments.out)
    print(summary(built.release))
    print(f"written: {folder}" + (f", pinned in {arguments.lock.name}" if arguments.pin else ""))
    pinned = lock.read(arguments.lock).current(built.release.name)
    if pinned is None:
        print(f"not pinned yet; to deploy it: python -m model build {arguments.name} --pin")
    elif pinned.digest != built.release.digest:
        print(f"{arguments.lock.name} pins another, {short(pinned.digest)}; --pin pins this one")


def show(arguments: argparse.Namespace) -> None:
    """Print a summary of the release."""
    print(summary(files.read_build(arguments.out, arguments.name)))


def verify(arguments: argparse.Namespace) -> None:
    """Check the files and run the samples; raises ReleaseError where one differs."""
    from model import build as building

    release = building.verify(arguments.name, arguments.out, arguments.lock)
    print(f"{release.name}: every file and all {len(release.samples)} samples are as released")


def summary(release: Release) -> str:
    """A release in a few lines of text."""
    rows = [
        ("release", release.digest),
        ("model.pt", f"{release.model.bytes:,} bytes, SHA-256 {short(release.model.sha256)}…"),
        *(
            (t.name, f"{t.dtype} [batch, {', '.join(map(str, t.dims))}]")
            for t in release.inputs + release.outputs
        ),
        ("labels", ", ".join(release.labels)),
        ("accuracy", f"{release.accuracy:.1%} of {release.held_out:,} held-out images"),
        ("torch", release.torch),
    ]
    return "\n".join([release.name, *(f"  {name:<10} {text}" for name, text in rows)])


if __name__ == "__main__":
    sys.exit(main())
