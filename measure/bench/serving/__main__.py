"""`python -m measure.bench.serving`: everything, side by side, in some 40 minutes on two cores.

Results go to measure/bench/results.json after every round, and docs/benchmark.md is made of them
at the end. `--quick` keeps nothing: it prints, and ends with status 1 on what no noise explains.
"""

from __future__ import annotations

import argparse
import sys
from fnmatch import fnmatch
from typing import TYPE_CHECKING

from local.errors import LocalError
from measure.bench import placement
from measure.bench import results as file
from measure.bench.serving import page, table
from measure.bench.serving.goals import GROSS
from measure.bench.serving.loads import FULL, QUICK, shortened
from measure.bench.serving.results import SERVING, Results, read, written
from measure.bench.serving.runner import turns
from measure.bench.serving.servers import ROOT
from measure.bench.serving.session import minutes, session
from measure.bench.serving.subjects import SUBJECTS
from measure.bench.tables import text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from measure.bench.serving.runner import Turn

DOCS = ROOT / "docs"


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status."""
    given = _parser().parse_args(arguments)
    if given.render:
        page.make(_kept(), file.read().get(placement.KEY), DOCS)
        return 0
    steps = shortened(QUICK, given.seconds) if given.quick else FULL
    todo = turns(steps, SUBJECTS, lambda key: fnmatch(str(key), given.only))
    if not todo:
        print(f"nothing is called {given.only}; --list says what there is", file=sys.stderr)
        return 2
    if given.list:
        print("\n".join(str(turn.key) for step in todo for turn in step))
        print(f"about {minutes(todo, given.rounds):.0f} minutes in {given.rounds} rounds")
        return 0
    try:
        return (_quick if given.quick else _full)(todo, given.rounds)
    except (LocalError, RuntimeError) as error:
        print(f"the benchmark can't be run: {error}", file=sys.stderr)
        return 2


def _full(todo: Sequence[Sequence[Turn]], rounds: int) -> int:
    made = session(todo, rounds, _kept(), keep=_keep)
    _tell(made, todo)
    # As the file has it, so that making the page again makes the same one.
    page.make(_kept(), file.read().get(placement.KEY), DOCS)
    return 0


def _quick(todo: Sequence[Sequence[Turn]], rounds: int) -> int:
    made = session(todo, rounds, Results(), keep=lambda _: None)
    _tell(made, todo)
    missed = [row for row in table.goals(made, GROSS) if row[-1] == "missed"]
    for title, found, wanted, _ in missed:
        print(f"much too slow: {title}: {found}, should at the very least be {wanted}")
    return 1 if missed else 0


def _kept() -> Results:
    return read(file.read().get(SERVING, {}))


def _keep(made: Results) -> None:
    file.keep(SERVING, written(made))


def _tell(made: Results, todo: Sequence[Sequence[Turn]]) -> None:
    groups = dict.fromkeys((step[0].key.load, step[0].key.payload) for step in todo)
    for load, payload in groups:
        print(f"\n{table.said(load, payload)}")
        print(text(table.heads(load), table.rows(made, load, payload)))
    print()
    print(text(("ours, as a ratio", "found", "wanted", ""), table.goals(made)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m measure.bench.serving", description=__doc__)
    add = parser.add_argument
    add("--quick", action="store_true", help="one load in under 90 seconds; keeps nothing")
    add("--only", default="*", metavar="GLOB", help="of load/payload/subject, as --list has them")
    add("--rounds", type=int, default=3, help="medians of so many (3)")
    add("--seconds", type=float, help="of each load, with --quick: to try it out")
    add("--list", action="store_true", help="say what would be measured, and for how long")
    add("--render", action="store_true", help="measure nothing, make the page of what there is")
    return parser


if __name__ == "__main__":
    sys.exit(main())
