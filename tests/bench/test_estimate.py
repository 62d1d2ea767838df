# SPDX-License-Identifier: MIT
"""From slices to figures: on slices that are made up, so that the right answer is known."""

import statistics

import made_up
import pytest
from compare import estimate


def compare(a_ns, b_ns, **settings):
    rounds = made_up.rounds({"a": a_ns, "b": b_ns}, **settings)
    return estimate.compare(rounds, "b", "a", "cpu")


def test_ratio_is_paired():
    """The speed swings to twice between the rounds; the ratio, made within each, does not."""
    found = compare(6000, 5000, spread=0.001)
    assert found["ratio"] == pytest.approx(1.2, abs=0.002)
    low, high = found["interval"]
    assert 1.19 < low <= found["ratio"] <= high < 1.21


def test_ratio_is_the_median():
    """One round in which a server stumbled moves nothing."""
    rounds = made_up.rounds({"a": 6000, "b": 5000}, count=9, spread=0)
    rounds[4]["slices"]["b"] = made_up.one_slice(1000000)
    assert estimate.compare(rounds, "b", "a", "cpu")["ratio"] == pytest.approx(1.2)


def test_quartiles():
    assert estimate.quartiles([1, 2, 3, 4, 5]) == (2, 4)


def test_interval_covers_the_truth():
    """In about 95 of 100 runs the interval holds the true ratio; in 85 it would be too narrow."""
    hits = 0
    for seed in range(100):
        low, high = compare(6000, 5000, seed=seed)["interval"]
        hits += low <= 1.2 <= high
    assert 88 <= hits <= 100


def test_interval_narrows_with_more_rounds():
    widths = []
    for count in 10, 160:
        low, high = compare(6000, 5000, count=count)["interval"]
        widths.append(high - low)
    assert widths[1] < widths[0] / 2


def test_interval_is_the_same_in_every_run():
    values = [1.0, 1.1, 0.9, 1.05, 1.2, 0.95]
    assert estimate.interval(values) == estimate.interval(values)
    low, high = estimate.interval(values)
    assert low < statistics.median(values) < high


@pytest.mark.parametrize("side", ["server", "load"])
def test_slice_that_waited_is_discarded(side):
    one = made_up.one_slice(5000)
    assert estimate.discard_reason(one) is None
    slice_ns = one["seconds"] * 1e9
    one[side] = {**one[side], "wait_ns": round(0.0499 * slice_ns)}
    assert estimate.discard_reason(one) is None
    one[side]["wait_ns"] = round(0.0501 * slice_ns)
    assert estimate.discard_reason(one) == f"the {side} waited for its core"


def test_slice_without_an_answer_is_discarded():
    empty = {**made_up.one_slice(5000), "messages": 0}
    assert estimate.discard_reason(empty) == "no answer"
    assert estimate.shared_discard_reason(empty, 0) == "no answer"


def on_shared_core(*idle):
    """Rounds in which the core of server b did something else for such shares of its slices."""
    return [{"slices": {"a": made_up.one_slice(5000), "b": made_up.one_slice(5000, idle=share)},
             "discarded": {}} for share in idle]


def test_disturbed_slice_on_a_shared_core_is_discarded():
    """Both wait for each other there, which is no disturbance."""
    rounds = on_shared_core(0, 0.049, 0.051)
    for one in rounds:
        one["slices"]["a"]["server"] = {**one["slices"]["a"]["server"], "wait_ns": 10 ** 9}
    estimate.discard(rounds, "shared")
    assert [one["discarded"] for one in rounds] == [{}, {}, {"b": "others used the core"}]
    estimate.discard(rounds, "apart")
    assert [one["discarded"] for one in rounds] == 3 * [{"a": "the server waited for its core"}]


def test_what_is_elsewhere_in_every_slice_is_no_disturbance():
    """As where the kernel counts interrupts apart; known once a quiet slice has come."""
    rounds = on_shared_core(0.35, 0.31, 0.30)
    estimate.discard(rounds[:1], "shared", 0.04)
    assert rounds[0]["discarded"] == {}
    estimate.discard(rounds, "shared", 0.04)
    assert [one["discarded"] for one in rounds] == [{"b": "others used the core"}, {}, {}]
    assert estimate.least_elsewhere(rounds) == pytest.approx({"a": 0, "b": 0.30})


def test_discarded_slices_do_not_count():
    """Nor do those that they would be compared with; but these are compared with others."""
    rounds = made_up.rounds({"a": 6000, "b": 5000, "c": 4000}, spread=0.001)
    for one in rounds[:30]:
        one["slices"]["a"] = made_up.one_slice(60000)
        one["discarded"] = {"a": "the server waited for its core"}
    found = estimate.compare(rounds, "b", "a", "cpu")
    assert found["ratio"] == pytest.approx(1.2, abs=0.005)
    assert found["rounds"] == made_up.ROUNDS - 30
    assert estimate.compare(rounds, "c", "b", "cpu")["rounds"] == made_up.ROUNDS
    assert len(estimate.kept(rounds)) == made_up.ROUNDS - 30
    assert estimate.figures(rounds, "a")["cpu_us"] < 2 * 6


def test_too_few_rounds_give_no_figure():
    rounds = made_up.rounds({"a": 6000, "b": 5000}, count=estimate.ROUNDS_MIN - 1)
    assert estimate.compare(rounds, "b", "a", "cpu") is None
    assert estimate.figures(rounds, "a") is None
    assert estimate.verdict(None, 0.01) == "unknown"
    assert estimate.reaches(None, 1.2) is None


def test_figures():
    rounds = made_up.rounds({"a": 6000}, spread=0)
    for one in rounds:
        one["slices"]["a"] = {**made_up.one_slice(6000), "lost": 2}
    found = estimate.figures(rounds, "a")
    assert found["cpu_us"] == 6
    assert found["p50_us"] == 60
    assert found["p99.9_us"] == 540
    assert found["messages_per_second"] == pytest.approx(1e9 / 12000)
    assert found["messages"] == 1000 * made_up.ROUNDS
    assert found["lost"] == 2 * made_up.ROUNDS
    assert found["duplicated"] == 0


def estimated(low, ratio, high):
    return {"ratio": ratio, "interval": (low, high)}


def test_noise_is_how_far_equal_servers_were_apart():
    controls = [estimated(0.99, 1.0, 1.02), estimated(0.97, 0.98, 1.0), None]
    assert estimate.noise(controls) == pytest.approx(0.03)
    assert estimate.noise([estimated(0.999, 1.0, 1.001)]) == estimate.NOISE_MIN
    assert estimate.noise([None]) is None


@pytest.mark.parametrize("low, ratio, high, noise, expected", [
    (1.05, 1.10, 1.15, 0.03, "wins"),
    (0.85, 0.90, 0.95, 0.03, "loses"),
    (1.01, 1.02, 1.03, 0.03, "equal"),  # within the noise, however narrow the interval
    (0.97, 0.98, 0.99, 0.03, "equal"),
    (0.98, 1.10, 1.20, 0.03, "equal"),  # the interval holds 1
    (0.80, 0.90, 1.00, 0.03, "equal"),
    (1.03, 1.04, 1.05, None, "equal"),  # no control: 5%
    (1.05, 1.06, 1.07, None, "wins"),
])
def test_verdict(low, ratio, high, noise, expected):
    assert estimate.verdict(estimated(low, ratio, high), noise) == expected


@pytest.mark.parametrize("target, expected", [
    (None, None), (1.10, "reached"), (1.12, "unclear"), (1.15, "unclear"), (1.16, "missed")])
def test_reaches(target, expected):
    assert estimate.reaches(estimated(1.05, 1.10, 1.15), target) == expected
