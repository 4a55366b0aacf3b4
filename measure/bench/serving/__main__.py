"""`python -m measure.bench.serving`: all servers side by side, an hour on two cores.

Results are written to measure/bench/results.json after every round, and docs/benchmark.md at the
end. `--quick` writes nothing; its exit status is 1 when a gross limit is missed.
"""

from __future__ import annotations

import argparse
import signal
import sys
from fnmatch import fnmatch
from typing import TYPE_CHECKING

from jobs.load.vegeta import LoadError
from local.errors import LocalError
from local.layout import ROOT
from measure.bench import results as file
from measure.bench.placement.endpoints import KEY as PLACEMENT
from measure.bench.serving import page, table
from measure.bench.serving.goals import GROSS
from measure.bench.serving.loads import FULL, QUICK, shortened
from measure.bench.serving.results import SERVING, Results, read, written
from measure.bench.serving.runner import turns
from measure.bench.serving.session import minutes, session
from measure.bench.serving.subjects import SUBJECTS
from measure.bench.tables import text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from measure.bench.serving.runner import Turn

DOCS = ROOT / "docs"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; return the exit status."""
    arguments = _parser().parse_args(argv)
    # Servers are stopped, also those that are paused.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if arguments.render:
        page.write(_stored(), file.read().get(PLACEMENT), DOCS)
        return 0
    loads = shortened(QUICK, arguments.seconds) if arguments.quick else FULL
    steps = turns(loads, SUBJECTS, lambda key: fnmatch(str(key), arguments.only))
    if not steps:
        print(f"no measurement matches {arguments.only}; --list prints all", file=sys.stderr)
        return 2
    if arguments.list:
        print("\n".join(str(turn.key) for step in steps for turn in step))
        duration = minutes(steps, arguments.rounds)
        print(f"about {duration:.0f} minutes in {arguments.rounds} rounds")
        return 0
    try:
        return (_quick if arguments.quick else _full)(steps, arguments.rounds)
    except (LoadError, LocalError, RuntimeError) as error:
        print(f"the benchmark can't be run: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted: only whole rounds are in the results", file=sys.stderr)
        return 130


def _full(steps: Sequence[Sequence[Turn]], rounds: int) -> int:
    results = session(steps, rounds, _stored(), store=_store)
    _print(results, steps)
    # From the rounded figures in the file, so that --render makes the same page.
    page.write(_stored(), file.read().get(PLACEMENT), DOCS)
    return 0


def _quick(steps: Sequence[Sequence[Turn]], rounds: int) -> int:
    results = session(steps, rounds, Results(), store=lambda _: None)
    _print(results, steps)
    missed = [row for row in table.goals(results, GROSS) if row[-1] == "missed"]
    for title, found, wanted, _ in missed:
        print(f"much too slow: {title}: {found}, limit {wanted}")
    return 1 if missed else 0


def _stored() -> Results:
    return read(file.read().get(SERVING, {}))


def _store(results: Results) -> None:
    file.store(SERVING, written(results))


def _print(results: Results, steps: Sequence[Sequence[Turn]]) -> None:
    keys = (step[0].key for step in steps)
    for model, load, payload in dict.fromkeys((key.model, key.load, key.payload) for key in keys):
        print(f"\n{model}: {table.load_title(load, payload)}")
        print(text(table.heads(load), table.rows(results, (model, load, payload))))
    print()
    print(text(("ours, as a ratio", "found", "goal", ""), table.goals(results)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m measure.bench.serving", description=__doc__)
    add = parser.add_argument
    add("--quick", action="store_true", help="one load in under 90 seconds; writes nothing")
    add(
        "--only",
        default="*",
        metavar="GLOB",
        help="measure only matching model/load/payload/subject",
    )
    add("--rounds", type=int, default=3, help="number of rounds (3)")
    add("--seconds", type=float, help="duration of each load with --quick")
    add("--list", action="store_true", help="print what would be measured, and how long it takes")
    add("--render", action="store_true", help="measure nothing; make the page from results.json")
    return parser


if __name__ == "__main__":
    sys.exit(main())
