"""The commands that carry a release from where it was built to production, the same bytes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from release import files, lock
from release.schema import ReleaseError

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
    """`pull NAME|--all --from URL`."""
    command = _command(commands, "pull", "get pinned releases from the artefact bucket")
    command.add_argument("name", metavar="NAME", nargs="?", help="a model; or --all")
    command.add_argument("--from", required=True, dest="url", metavar="URL")
    command.add_argument("--release", help="digest of an earlier one in the lock")
    command.add_argument(
        "--all", action="store_true", help="all that the lock and the stacks' files name"
    )
    command.set_defaults(run=pull)
    return command


def add_prove(commands: Commands) -> argparse.ArgumentParser:
    """`prove --stack NAME < outputs.json`."""
    text = "record a stack's verdicts in the lock: pulumi stack output --json | … prove --stack dev"
    command = _command(commands, "prove", text)
    command.add_argument("--stack", required=True, help="where the load test ran")
    command.add_argument("--outputs", type=Path, help="the stack's outputs; default: stdin")
    command.set_defaults(run=prove)
    return command


def add_prune(commands: Commands) -> argparse.ArgumentParser:
    """`prune --bucket URL --keep N`."""
    text = "remove old releases from a stack's bucket; without --yes only say which"
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
    # Google's client takes half a second to import, so only where a bucket is asked.
    from release import store

    name = arguments.name
    wanted = lock.find(lock.read(arguments.lock), name, arguments.release)["digest"]
    folder = files.located(arguments.out, name, wanted)
    if folder is None:
        raise ReleaseError(
            f"release {wanted[:16]} is not built here; run: python -m model build {name}"
        )
    print(f"{name}: pushed to {store.push(folder, wanted, arguments.to, _say)}")


def pull(arguments: argparse.Namespace) -> None:
    """Download what is missing; raises ReleaseError."""
    from release import retention, store

    models = lock.read(arguments.lock)
    if arguments.all == bool(arguments.name):
        raise ReleaseError("name one model, or --all of them")
    if arguments.all:
        named: list[tuple[str, str | None]] = [(name, None) for name in models]
        named += retention.stack_pins(arguments.lock.parent)
    else:
        named = [(arguments.name, arguments.release)]
    for name, release in named:
        wanted = lock.find(models, name, release)["digest"]
        folder = store.pull(name, wanted, arguments.url, arguments.out, _say)
        print(f"{name}: {wanted[:16]} is in {folder}")


def prove(arguments: argparse.Namespace) -> None:
    """Write every verdict of a stack into the lock; raises ReleaseError."""
    source = arguments.outputs
    text = (
        source.read_text() if source and source.exists() else ("" if source else sys.stdin.read())
    )
    verdicts = read_verdicts(text)
    if not verdicts:
        raise ReleaseError("no load test in these outputs: is perf.enabled false?")
    for name, (digest, verdict) in verdicts.items():
        lock.prove(arguments.lock, name, digest, arguments.stack, verdict)
        print(f"{name}: {digest[:16]} on {arguments.stack}: {verdict['verdict']}")


def read_verdicts(text: str) -> dict[str, tuple[str, dict[str, Any]]]:
    """Model -> (digest, verdict), of a stack's outputs as JSON; raises ReleaseError."""
    try:
        outputs = json.loads(text)
        return {
            name: (outputs["models"][name]["digest"], _verdict(report))
            for name, report in outputs["perf"].items()
        }
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ReleaseError(
            f"no outputs of this project's stack ({type(error).__name__}: {error}); "
            "give those of: pulumi stack output --json"
        ) from error


def _verdict(report: dict[str, Any]) -> dict[str, Any]:
    known = {"verdict": str(report["verdict"]), "objectives": report["objectives"]}
    return known | ({"result": report["result"]} if report.get("result") else {})


def prune(arguments: argparse.Namespace) -> None:
    """Remove by the rule, or say what it would remove; raises ReleaseError."""
    from release import retention

    if arguments.keep < 1:
        raise ReleaseError(f"--keep: found {arguments.keep}; allowed: 1 or more")
    pinned = retention.pinned(arguments.stacks, lock.read(arguments.lock))
    versions = retention.stored(arguments.bucket)
    old = retention.superfluous(versions, pinned, arguments.keep)
    for each in old:
        line = f"{each.name} {each.version}, release {each.release[:16]}, {each.created:%Y-%m-%d}"
        if arguments.yes:
            print(f"removed: {line}, {retention.remove(arguments.bucket, each)} objects")
        else:
            print(f"would go: {line}")
    how = "" if arguments.yes or not old else "; --yes removes them"
    print(f"{len(versions) - len(old)} of {len(versions)} versions stay{how}")


def _say(line: str) -> None:
    print(f"  {line}", flush=True)
