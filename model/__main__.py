"""`python -m model COMMAND`: a release, from source to the lock, and from one stack to the next."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from release import files, lock, promotion
from release.commands import IMPORT_OPTIONS
from release.schema import NAME, NAME_RULE, Format, Release, ReleaseError, short

if TYPE_CHECKING:
    from collections.abc import Callable

    from model.built import Built

ROOT = Path(__file__).parents[1]
DEFINITIONS = ROOT / "model" / "definitions"
TEMPLATE = ROOT / "model" / "templates" / "definition.py"


def main(argv: list[str] | None = None) -> int:
    """Exit status: 0, 1 after a line with the error, or 130 after Ctrl-C."""
    arguments = parser().parse_args(argv)
    arguments.typed = shlex.join(["python", "-m", "model", *(argv or sys.argv[1:])])
    try:
        arguments.run(arguments)
    except (ReleaseError, OSError) as error:
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

    def add(run: Callable[[argparse.Namespace], None], text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(run.__name__.rstrip("_"), help=text, description=text)
        command.add_argument("name", metavar="NAME", help="name of the model")
        command.set_defaults(run=run)
        return command

    _definitions(add(new, "write a definition that builds as it stands"))
    command = _definitions(add(train, "train a network, and write its weights"))
    command.add_argument("--data", type=Path, metavar="PATH", help="given to the definition")
    command = _definitions(_pin(_folders(add(build, "export a network, and write its release"))))
    command.add_argument("--format", choices=get_args(Format), help="default: the definition's")
    _import(_pin(_folders(add(import_, "write the release of a program exported elsewhere"))))
    _folders(add(show, "print a summary of a release"))
    _folders(add(verify, "compare a release's files, and the answers to its samples"))
    for add_command in (
        promotion.add_push,
        promotion.add_pull,
        promotion.add_prove,
        promotion.add_prune,
    ):
        _folders(add_command(commands))
    return made


def _definitions(command: argparse.ArgumentParser) -> argparse.ArgumentParser:
    text = "folder of the definitions; default: model/definitions/"
    command.add_argument("--definitions", type=Path, metavar="DIR", default=DEFINITIONS, help=text)
    return command


def _folders(command: argparse.ArgumentParser) -> argparse.ArgumentParser:
    command.add_argument("--out", type=Path, default=ROOT / "build", help="default: build/")
    command.add_argument("--lock", type=Path, default=ROOT / "models.lock.json")
    return command


def _pin(command: argparse.ArgumentParser) -> argparse.ArgumentParser:
    command.add_argument("--pin", action="store_true", help="make it the one that stacks deploy")
    return command


def _import(command: argparse.ArgumentParser) -> None:
    one = command.add_mutually_exclusive_group(required=True)
    for format, option in IMPORT_OPTIONS.items():
        one.add_argument(option, type=Path, metavar="FILE", dest=format)
    text = "example inputs by name, INPUT__0 and on: a file of numpy.savez a batch of rows"
    command.add_argument("--samples", type=Path, metavar="NPZ", nargs="+", required=True, help=text)
    text = "labels of the first output, one a line"
    command.add_argument("--labels", type=Path, metavar="FILE", help=text)
    text = "the inputs have no dimension for a batch"
    command.add_argument("--no-batching", dest="batching", action="store_false", help=text)


def new(arguments: argparse.Namespace) -> None:
    """Write a definition; raises ReleaseError if there is one of this name."""
    _check_name(arguments.name)
    path = arguments.definitions / f"{arguments.name.replace('-', '_')}.py"
    for there in (path, path.with_suffix("")):
        if there.exists():
            raise ReleaseError(f"{there} is there already; take another name, or remove it")
    files.write(path, TEMPLATE.read_bytes())
    print(f"written: {path}; next: {_command('build', arguments)}")


def _check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise ReleaseError(f"found {name!r}; allowed: {NAME_RULE}")


def train(arguments: argparse.Namespace) -> None:
    """Train, and write the weights beside the definition; raises ReleaseError."""
    from model import discovery, training_run

    found = discovery.find(arguments.name, arguments.definitions)
    trained = training_run.train(found, arguments.data)
    metrics = "".join(f", {name} {value:g}" for name, value in trained.metrics.items())
    print(f"written: {found.weights}{metrics}; next: {_command('build', arguments)} --pin")


def build(arguments: argparse.Namespace) -> None:
    """Write a release; with --pin also the lock."""
    from model import discovery

    found = discovery.find(arguments.name, arguments.definitions)
    # torch takes seconds to import, so wrong arguments are refused before.
    from model import build as building

    _write(building.build(found, arguments.format), arguments)


def import_(arguments: argparse.Namespace) -> None:
    """Write the release of a file; with --pin also the lock."""
    _check_name(arguments.name)
    format = next(each for each in IMPORT_OPTIONS if getattr(arguments, each))
    for path in (getattr(arguments, format), *arguments.samples, arguments.labels):
        if path is not None and not path.is_file():
            raise ReleaseError(f"{path}: no such file")
    from model import importing

    built = importing.read(
        arguments.name,
        format,
        getattr(arguments, format),
        arguments.samples,
        arguments.labels,
        batching=arguments.batching,
    )
    _write(built, arguments)


def _write(built: Built, arguments: argparse.Namespace) -> None:
    from model import build as building

    folder = building.write(built, arguments.out)
    if arguments.pin:
        lock.pin(arguments.lock, built.release)
        files.keep(folder, arguments.out)
    print(summary(built.release))
    print(f"written: {folder}" + (f", pinned in {arguments.lock.name}" if arguments.pin else ""))
    pinned = lock.read(arguments.lock).current(built.release.name)
    if pinned is None:
        print(f"not pinned yet; to deploy it: {arguments.typed} --pin")
    elif pinned.digest != built.release.digest:
        print(f"{arguments.lock.name} pins another, {short(pinned.digest)}; --pin pins this one")


def show(arguments: argparse.Namespace) -> None:
    """Print a summary of the release."""
    print(summary(files.read_build(arguments.out, arguments.name)))


def verify(arguments: argparse.Namespace) -> None:
    """Check the files, run samples and exchanges; raises ReleaseError where one differs."""
    files.read_build(arguments.out, arguments.name)
    from model import verify as verifying

    release = verifying.verify(arguments.name, arguments.out, arguments.lock)
    exchanges = f" and {len(release.exchanges)} exchanges" if release.exchanges else ""
    print(
        f"{release.name}: every file, all {len(release.samples)} samples{exchanges} are as released"
    )


def _command(command: str, arguments: argparse.Namespace) -> str:
    """Another command on the same definition, as it is typed."""
    folder = arguments.definitions
    other = "" if folder == DEFINITIONS else f" --definitions {folder}"
    return f"python -m model {command} {arguments.name}{other}"


def summary(release: Release) -> str:
    """A release in a few lines of text."""
    file = f"{release.model.bytes:,} bytes, SHA-256 {short(release.model.sha256)}…"
    batch = ["batch"] if release.batching else []
    rows = [("release", release.digest), (release.model_file, file)]
    for tensor in release.inputs + release.outputs:
        dims = ", ".join(batch + ["any" if dim == -1 else str(dim) for dim in tensor.dims])
        labels = f", labels {', '.join(tensor.labels)}" if tensor.labels else ""
        rows.append((tensor.name, f"{tensor.dtype} [{dims}]{labels}"))
    if release.image:
        rows.append(("image", f"{release.image.width}×{release.image.height}"))
    if release.handler:
        rows.append(("handler", ", ".join(release.handler.files)))
    rows += [(name, f"{value:g}") for name, value in release.metrics.items()]
    if release.held_out:
        rows.append(("held out", f"{release.held_out:,} items"))
    samples = f"{len(release.samples)}, and {len(release.exchanges)} exchanges"
    rows += [("samples", samples), ("torch", release.torch), *release.provenance.items()]
    return "\n".join([release.name, *(f"  {name:<10} {text}" for name, text in rows)])


if __name__ == "__main__":
    sys.exit(main())
