# SPDX-License-Identifier: MIT
"""From slices to figures. Pure functions: the same rounds give the same figures, always.

A round holds a slice for each server, run right after one another: {"slices": {server: slice}},
where a slice is what the load has printed. Only slices of the same round are compared, because the
speed of a machine may swing to twice within seconds, and back. "discarded" in a round tells which
slices count for nothing, and why.
"""

import random
import statistics

WAIT_MAX = 0.05  # of a slice's time, for which others may have had a core
RESAMPLES = 1000
CONFIDENCE = 0.95
ROUNDS_MIN = 5  # fewer give no figure
NOISE_MIN = 0.01
NOISE_UNKNOWN = 0.05  # in a run without a control


def discard_reason(one, wait_max=WAIT_MAX):
    """Why a slice on two cores counts for nothing, or None."""
    if not one["messages"]:
        return "no answer"
    for who in "server", "load":
        if one[who]["wait_ns"] / 1e9 / one["seconds"] > wait_max:
            return f"the {who} waited for its core"
    return None


def elsewhere(one):
    """The share of a slice in which a shared core did nothing for the server or the load."""
    return 1 - (one["server"]["cpu_ns"] + one["load"]["cpu_ns"]) / 1e9 / one["seconds"]


def least_elsewhere(rounds):
    """For each server, in its quietest slice. It is more than nothing where the kernel counts the
    time of interrupts apart, which is no disturbance."""
    names = rounds[0]["slices"] if rounds else ()
    return {name: max(0, min(elsewhere(one["slices"][name]) for one in rounds)) for name in names}


def shared_discard_reason(one, least, wait_max=WAIT_MAX):
    """The same on a shared core, where the two wait for each other."""
    if not one["messages"]:
        return "no answer"
    return "others used the core" if elsewhere(one) - least > wait_max else None


def discard(rounds, placement, wait_max=WAIT_MAX):
    """Marks the slices that count for nothing, each in the light of all."""
    least = least_elsewhere(rounds)
    for one in rounds:
        reasons = {name: shared_discard_reason(found, least[name], wait_max)
                   if placement == "shared" else discard_reason(found, wait_max)
                   for name, found in one["slices"].items()}
        one["discarded"] = {name: reason for name, reason in reasons.items() if reason}


def value(one, metric):
    """What is compared, of one slice."""
    if metric == "cpu":
        return one["server"]["cpu_ns_per_message"]
    return one["latency_us"][metric]


def kept(rounds, *names):
    """The slices of the rounds in which those of these servers count; of all, if none is named."""
    return [one["slices"] for one in rounds
            if not one["discarded"].keys() & set(names or one["slices"])]


def ratios(rounds, subject, baseline, metric):
    return [value(slices[baseline], metric) / value(slices[subject], metric)
            for slices in kept(rounds, subject, baseline)]


def quartiles(values):
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, high


def interval(values, seed=1):
    """The confidence interval of the median, by the percentile bootstrap."""
    source = random.Random(seed)
    medians = sorted(statistics.median(source.choices(values, k=len(values)))
                     for _ in range(RESAMPLES))
    outside = round(RESAMPLES * (1 - CONFIDENCE) / 2)
    return medians[outside], medians[-1 - outside]


def compare(rounds, subject, baseline, metric):
    """The ratio of two servers, or None if too few rounds are left."""
    values = ratios(rounds, subject, baseline, metric)
    if len(values) < ROUNDS_MIN:
        return None
    return {"ratio": statistics.median(values), "quartiles": quartiles(values),
            "interval": interval(values), "rounds": len(values)}


def figures(rounds, server):
    """The medians of what the slices of a server say, or None if too few are left."""
    slices = [one[server] for one in kept(rounds, server)]
    if len(slices) < ROUNDS_MIN:
        return None
    median = {"cpu_us": [one["server"]["cpu_ns_per_message"] / 1000 for one in slices],
              "load_cpu_us": [one["load"]["cpu_ns_per_message"] / 1000 for one in slices],
              "messages_per_second": [one["messages_per_second"] for one in slices]}
    for quantile in "p50", "p90", "p99", "p99.9", "max":
        median[quantile + "_us"] = [one["latency_us"][quantile] for one in slices]
    result = {name: statistics.median(values) for name, values in median.items()}
    result["messages"] = sum(one["messages"] for one in slices)
    for fault in "lost", "late", "duplicated", "reordered", "unsent":
        result[fault] = sum(one.get(fault, 0) for one in slices)
    return result


def noise(controls):
    """How far from 1 a ratio may be by chance: as far as equal servers could be in this run."""
    ends = [abs(end - 1) for one in controls if one for end in one["interval"]]
    return max([NOISE_MIN, *ends]) if ends else None


def verdict(estimate, noise_of_run):
    """Whether the subject wins, loses or is equal."""
    if estimate is None:
        return "unknown"
    low, high = estimate["interval"]
    margin = NOISE_UNKNOWN if noise_of_run is None else noise_of_run
    if abs(estimate["ratio"] - 1) <= margin or low <= 1 <= high:
        return "equal"
    return "wins" if estimate["ratio"] > 1 else "loses"


def reaches(estimate, target):
    """Whether the figure to reach is reached; "unclear" if it is not, but the interval holds it."""
    if target is None or estimate is None:
        return None
    if estimate["ratio"] >= target:
        return "reached"
    return "unclear" if estimate["interval"][1] >= target else "missed"
