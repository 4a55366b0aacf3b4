"""`python -m local up|down|status|logs|report|env|tools`: the local cluster's commands."""

from __future__ import annotations

import argparse
import os
import sys
import webbrowser
from pathlib import Path

from local import deploy
from local.building import build_missing
from local.catalogue import TOOLS
from local.cluster import bring_down, bring_up
from local.environment import exports
from local.errors import LocalError
from local.layout import Layout
from local.status import status


def _up(layout: Layout, wanted: argparse.Namespace) -> int:
    bring_up(layout)
    if not wanted.cluster_only:
        deploy.up(layout, wanted.mode)
    return 0


def _down(layout: Layout, wanted: argparse.Namespace) -> int:
    bring_down(layout, keep=wanted.keep)
    return 0


def _status(layout: Layout, _: argparse.Namespace) -> int:
    text, healthy = status(layout)
    print(text)
    return 0 if healthy else 1


def _logs(layout: Layout, wanted: argparse.Namespace) -> int:
    files = _log_files(layout, wanted.name)
    if not files:
        names = ", ".join(sorted(path.stem for path in layout.logs.glob("*.log")))
        raise LocalError(
            f"no log of {wanted.name!r}; give the beginning of a pod's name, or one of: {names}"
        )
    follow = ["-F"] if wanted.follow else []
    sys.stdout.flush()
    os.execvp("tail", ["tail", "-n", str(wanted.lines), *follow, *map(str, files)])


def _log_files(layout: Layout, name: str) -> list[Path]:
    """Logs of a process of the cluster, or of the pods whose names begin with `name`."""
    if layout.log(name).exists():
        return [layout.log(name)]
    # Folders are named NAMESPACE_NAME_UID, as the kubelet names them.
    pods = (
        each for each in layout.node.glob("pods/*_*_*") if each.name.split("_")[1].startswith(name)
    )
    found = [path for pod in pods for path in pod.glob("*.log")]
    return sorted(found, key=lambda path: path.stat().st_mtime)


def _env(layout: Layout, _: argparse.Namespace) -> int:
    print(exports(layout))
    return 0


def _report(layout: Layout, wanted: argparse.Namespace) -> int:
    for page in deploy.report(layout, wanted.mode):
        print(page)
        if wanted.open and not webbrowser.open(page.as_uri()):
            print("There is no browser here. The page is one file: copy it to where there is one.")
    return 0


def _tools(_layout: Layout, wanted: argparse.Namespace) -> int:
    chosen = [each for each in TOOLS if Path(each.folder).name in wanted.modules]
    build_missing(tuple(chosen) if wanted.modules else TOOLS)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    up = commands.add_parser("up", help="build what is missing, start the cluster, deploy")
    up.add_argument("--cluster-only", action="store_true", help="don't deploy the stack")
    _add_mode(up)
    up.set_defaults(run=_up)
    down = commands.add_parser("down", help="stop the cluster and remove it")
    down.add_argument("--keep", action="store_true", help="keep its data")
    down.set_defaults(run=_down)
    commands.add_parser("status", help="processes, node, InferenceServices, pods").set_defaults(
        run=_status
    )
    logs = commands.add_parser("logs", help="show the log of a process or a pod")
    logs.add_argument("name")
    logs.add_argument("-f", "--follow", action="store_true")
    logs.add_argument("-n", "--lines", type=int, default=200)
    logs.set_defaults(run=_logs)
    pages = commands.add_parser("report", help="write the load tests' pages")
    pages.add_argument("--open", action="store_true", help="open them in the browser")
    _add_mode(pages)
    pages.set_defaults(run=_report)
    tools = commands.add_parser("tools", help="fetch or build the cluster's programs")
    names = sorted({Path(each.folder).name for each in TOOLS})
    tools.add_argument("modules", nargs="*", help=f"only of these modules: {', '.join(names)}")
    tools.set_defaults(run=_tools)
    commands.add_parser("env", help="print exports for a shell").set_defaults(run=_env)
    return parser


def _add_mode(command: argparse.ArgumentParser) -> None:
    stacks = ", ".join(f"{mode}: {stack}" for mode, stack in deploy.STACKS.items())
    command.add_argument(
        "--mode", choices=deploy.STACKS, default="Standard", help=f"the stack, by mode ({stacks})"
    )


def main() -> int:
    wanted = _parser().parse_args()
    try:
        code: int = wanted.run(Layout.current(), wanted)
    except LocalError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130
    return code


if __name__ == "__main__":
    sys.exit(main())
