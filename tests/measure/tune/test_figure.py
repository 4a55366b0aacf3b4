"""The picture: well-formed, finite, and inside of its frame, whatever was measured."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from measure.tune.figure import draw
from measure.tune.knobs import Knobs
from measure.tune.report import Outcome, document, table
from measure.tune.search import Measured, winner
from measure.tune.trial import Trial

trials = st.builds(
    Trial,
    asked=st.integers(1, 10**5),
    throughput=st.floats(0, 1e5),
    success_ratio=st.floats(0, 1),
    p50_ms=st.floats(0, 1e5),
    p99_ms=st.floats(0, 1e5),
    why=st.sampled_from(["", "above <50> ms & more"]),
)
measured = st.builds(
    Measured,
    knobs=st.builds(Knobs, instances=st.integers(1, 9), dynamic_batching=st.booleans()),
    rate=st.one_of(st.just(0.0), st.floats(1, 1e5)),
    p99_ms=st.floats(0, 1e5),
    trials=st.lists(trials, max_size=5).map(tuple),
    failure=st.sampled_from([None, "it doesn't load\nat all"]),
)


def outcome(points: list[Measured], objective: float) -> Outcome:
    present = points[0].knobs
    facts = {"model": "a<b>&c", "bench": "deployed", "others_cores": 0.0}
    return Outcome(facts, objective, points, present, winner(points, present, 1.05))


outcomes = st.builds(
    outcome,
    st.lists(measured, min_size=1, max_size=6, unique_by=lambda each: each.knobs),
    st.floats(0.01, 1e4),
)


@given(outcomes)
def test_every_point_has_its_line_and_the_objective_is_drawn(found: Outcome) -> None:
    root = ElementTree.fromstring(draw(found))
    titles = [each.text for each in root.iter("{http://www.w3.org/2000/svg}title")]
    for point in found.points:
        assert any(str(point.knobs) in (title or "") for title in titles)
    assert f"objective: p99 {found.objective_ms:g} ms" in titles


@given(outcomes)
def test_every_mark_is_inside_of_the_frame(found: Outcome) -> None:
    text = draw(found)
    assert "nan" not in text.partition("</style>")[2]
    for x, y in re.findall(r'cx="([-\d.e]+)" cy="([-\d.e]+)"', text):
        assert 0 <= float(x) <= 820
        assert 0 <= float(y) <= 480


@given(outcomes)
def test_every_point_has_a_row_and_the_fastest_is_first(found: Outcome) -> None:
    rows = table(found).splitlines()
    assert len(rows) == len(found.points) + 1
    best = max(each.rate for each in found.points)
    assert (f"{best:.0f}" if best else "none") in rows[1]


@given(outcomes)
def test_the_document_is_json_with_every_trial(found: Outcome) -> None:
    import json

    raw = json.loads(document(found))
    assert [len(each["trials"]) for each in raw["points"]] == [
        len(each.trials) for each in found.points
    ]
