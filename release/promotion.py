"""The commands that bring a release from the machine that built it to production, unchanged."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from release import files, lock
from release.schema import ReleaseError, short
from release.verdicts import read_verdicts

if TYPE_CHECKING:
    import argparse

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def add_push(commands: Commands) -> argparse.ArgumentParser:
    """`push NAME --to URL`."""
    command = _command(commands, "push", "put a pinned release into the artefact bucket")
    command.add_argument("name", metavar="NAME")
    command.add_argument("--to", required=True, metavar="URL", help="gs://BUCKET[/PREFIX]")
    command.add_argument("--release", help="digest of an earlier one in the lock")
    command.set_defaults(run=push)
    return command


def add_pull(commands: Commands) -> argparse.ArgumentParser:
    """`pull NAME|--stack STACK --from URL`."""
    command = _command(commands, "pull", "get pinned releases from the artefact bucket")
    command.add_argument("name", metavar="NAME", nargs="?", help="a model; or --stack")
    command.add_argument("--from", required=True, dest="url", metavar="URL")
    command.add_argument("--release", help="digest of an earlier one in the lock")
    command.add_argument("--stack", help="all that this stack serves, by its file and the lock")
    command.set_defaults(run=pull)
    return command


def add_prove(commands: Commands) -> argparse.ArgumentParser:
    """`prove --stack NAME < state.json`."""
    text = "record a stack's verdicts in the lock: pulumi stack export | … prove --stack dev"
    command = _command(commands, "prove", text)
    command.add_argument("--stack", required=True, help="where the load test ran")
    command.add_argument("--state", type=Path, help="file of the stack's state; default: stdin")
    command.set_defaults(run=prove)
    return command


def add_prune(commands: Commands) -> argparse.ArgumentParser:
    """`prune --bucket URL --keep N`."""
    text = "remove old releases from a stack's bucket; without --yes only list them"
    command = _command(commands, "prune", text)
    command.add_argument("--bucket", required=True, metavar="URL", help="gs://BUCKET of a stack")
    command.add_argument("--keep", type=int, default=3, help="releases of each model; default: 3")
    command.add_argument("--yes", action="store_true", help="remove them")
    command.add_argument(
        "--stacks", type=Path, default=Path.cwd(), help="folder of the Pulumi.STACK.yaml files"
    )
    command.set_defaults(run=prune)
    return command


def _command(commands: Commands, name: str, text: str) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = commands.add_parser(name, help=text, description=text)
    return made


def push(arguments: argparse.Namespace) -> None:
    """Upload; raises ReleaseError."""
    # Google's client takes half a second to import, so it is imported only where it is used.
    from release import store

    name = arguments.name
    digest = lock.read(arguments.lock).find(name, arguments.release).digest
    folder = files.find(arguments.out, name, digest)
    if folder is None:
        raise ReleaseError(
            f"release {short(digest)} is not built here; run: python -m model build {name}"
        )
    print(f"{name}: pushed to {store.push(folder, digest, arguments.to, _report)}")


def pull(arguments: argparse.Namespace) -> None:
    """Download what is missing; raises ReleaseError."""
    from release import store

    pinned = lock.read(arguments.lock)
    if bool(arguments.stack) == bool(arguments.name) or (arguments.stack and arguments.release):
        raise ReleaseError("allowed: NAME [--release DIGEST], or --stack STACK for all it serves")
    if arguments.stack:
        wanted, missing = lock.deployed(pinned, arguments.lock.parent, arguments.stack)
        for line in missing:
            print(line, file=sys.stderr)
    else:
        wanted = [(arguments.name, pinned.find(arguments.name, arguments.release).digest)]
    for name, digest in wanted:
        folder = store.pull(name, digest, arguments.url, arguments.out, _report)
        print(f"{name}: {short(digest)} is in {folder}")


def prove(arguments: argparse.Namespace) -> None:
    """Write every verdict of a stack into the lock, and print why a model has none.

    Raises ReleaseError for a state that has no stack of this project.
    """
    source = arguments.state
    try:
        verdicts = read_verdicts(source.read_text() if source else sys.stdin.read())
    except OSError as error:
        raise ReleaseError(f"{source}: {error.strerror}") from error
    for each in verdicts.found:
        added = lock.prove(arguments.lock, each.model, each.digest, arguments.stack, each.verdict)
        kept = "" if added else "; it passed there before, and that stays"
        verdict = f"{each.verdict.verdict}{kept}"
        print(f"{each.model}: {short(each.digest)} on {arguments.stack}: {verdict}")
    for model, reason in verdicts.missing.items():
        print(f"{model}: no verdict on {arguments.stack}: {reason}")
    if not (verdicts.found or verdicts.missing):
        print(f"no verdict on {arguments.stack}: the update ended before its models were served")


def prune(arguments: argparse.Namespace) -> None:
    """Remove old versions, or print which ones `--yes` would remove; raises ReleaseError."""
    from release import retention

    if arguments.keep < 1:
        raise ReleaseError(f"--keep: found {arguments.keep}; allowed: 1 or more")
    pinned = retention.pinned_digests(arguments.stacks, lock.read(arguments.lock))
    versions = retention.list_versions(arguments.bucket)
    old = retention.removable(versions, pinned, arguments.keep)
    for each in old:
        line = f"{each.name} {each.version}, release {short(each.release)}, {each.created:%Y-%m-%d}"
        if arguments.yes:
            print(f"removed: {line}, {retention.remove(arguments.bucket, each)} objects")
        else:
            print(f"would be removed: {line}")
    hint = "" if arguments.yes or not old else "; --yes removes the others"
    print(f"{len(versions) - len(old)} of {len(versions)} versions stay{hint}")


def _report(line: str) -> None:
    print(f"  {line}", flush=True)
