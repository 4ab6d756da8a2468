import random

from tinypool_nb.core.latency import BOUNDS, Histogram


def test_each_duration_falls_into_the_bucket_whose_bound_includes_it() -> None:
    chance = random.Random(7)
    durations = [round(bound * 1e9) for bound in BOUNDS] + [chance.randrange(200 * 10**9) for _ in range(1_000)]
    histogram = Histogram()
    for duration in durations:
        histogram.add(duration)
    read = histogram.read()
    at_most = [sum(read.counts[: place + 1]) for place in range(len(BOUNDS))]
    assert at_most == [sum(duration <= round(bound * 1e9) for duration in durations) for bound in BOUNDS]
    assert sum(read.counts) == len(durations)
    assert abs(read.total - sum(durations) / 1e9) < 1e-6


def test_what_was_read_stays_as_it_was() -> None:
    histogram = Histogram()
    before = histogram.read()
    histogram.add(1)
    assert sum(before.counts) == 0
    assert len(BOUNDS) == 41, "the buckets of gRFC A66"
