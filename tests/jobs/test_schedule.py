"""How late requests were sent is found without knowing when the run began."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jobs.load.schedule import lateness

RATE, INTERVAL = 1000, 10**6
# Less than an interval, so that none overtakes another.
LATE = st.lists(st.integers(0, INTERVAL - 1), min_size=1, max_size=60)


@given(LATE, st.data(), st.integers(0, 2 * 10**18))
def test_each_request_is_as_late_as_it_is_in_any_order_if_one_is_punctual(
    late: list[int], data: st.DataObject, origin: int
) -> None:
    late[data.draw(st.integers(0, len(late) - 1))] = 0
    sent = [(origin + n * INTERVAL + by, by) for n, by in enumerate(late)]
    recorded = data.draw(st.permutations(sent))
    assert lateness([at for at, _ in recorded], RATE).tolist() == [by for _, by in recorded]


@given(LATE)
def test_where_none_is_punctual_lateness_is_understated_by_the_least(late: list[int]) -> None:
    found = lateness([n * INTERVAL + by for n, by in enumerate(late)], RATE)
    assert found.tolist() == [by - min(late) for by in late]


def test_schedule_is_vegetas_whole_nanoseconds() -> None:
    # A third of a second is 333,333,333 ns to its pacer.
    assert lateness([0, 333_333_333, 666_666_666 + 5], 3).tolist() == [0, 0, 5]
