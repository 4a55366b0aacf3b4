"""`python -m model COMMAND`: a release, from source to the lock, and from one stack to the next."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from release import files, lock, promotion
from release.schema import Release, ReleaseError, digest

ROOT = Path(__file__).parents[1]


def main(argv: list[str] | None = None) -> int:
    """Exit status: 0, or 1 after one line on what is wrong, 130 after Ctrl-C."""
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
        (build, "train, trace and describe; --pin: make it the one that stacks deploy"),
        (show, "what the release says"),
        (verify, "hash its files anew, run its samples"),
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
    # Imported only here, since torch takes seconds: wrong arguments are answered at once.
    from model import build as building

    built = building.build(building.definition(arguments.name), arguments.data)
    folder = building.write(built, arguments.out)
    if arguments.pin:
        lock.pin(arguments.lock, built.release)
        files.keep(folder, arguments.out)
    print(summary(built.release))
    print(f"written: {folder}" + (f", pinned in {arguments.lock.name}" if arguments.pin else ""))
    pinned = lock.read(arguments.lock).get(built.release.name)
    if pinned is None:
        print(f"not pinned yet; to deploy it: python -m model build {arguments.name} --pin")
    elif pinned["digest"] != digest(built.release.to_json()):
        print(f"{arguments.lock.name} pins another, {pinned['digest'][:16]}; --pin pins this one")


def show(arguments: argparse.Namespace) -> None:
    """Print what the release says."""
    path = arguments.out / arguments.name / files.RELEASE_JSON
    if not path.exists():
        raise ReleaseError(f"not built; run: python -m model build {arguments.name}")
    print(summary(Release.from_json(path.read_bytes())))


def verify(arguments: argparse.Namespace) -> None:
    """Raise where anything differs."""
    from model.build import verify as verified

    release = verified(arguments.name, arguments.out, arguments.lock)
    print(f"{release.name}: every file and all {len(release.samples)} samples are as released")


def summary(release: Release) -> str:
    """For people."""
    rows = [
        ("release", digest(release.to_json())),
        ("model.pt", f"{release.model.bytes:,} bytes, SHA-256 {release.model.sha256[:16]}…"),
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
