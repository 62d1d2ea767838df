# SPDX-License-Identifier: MIT
"""The closing paragraph: is io_uring worth it on this machine, for this load? It is made from the
figures alone, whatever they say."""

import statistics

QUESTION = "Is io_uring worth it on this machine, for this load?"
BASELINE = "epoll-bare"
LIKE_FOR_LIKE = "rollcall-epoll"
MOSTLY = 2 / 3
METRICS = {"rate": "cpu", "shared": "cpu", "apart": "p50"}
LOADS_MIN = 3  # fewer do not make an answer


def compared(results, baseline, placement="shared"):
    """Every comparison of rollcall with a server: (cell, comparison)."""
    return [(cell, one) for cell in results["cells"] if cell["placement"] == placement and
            cell["kind"] != "client-bound" for one in cell["comparisons"]
            if (one["subject"], one["baseline"]) == ("rollcall", baseline) and
            one["metric"] == METRICS[placement]]


def against(results, baseline, placement="shared"):
    """Those that gave a result."""
    return [pair for pair in compared(results, baseline, placement) if pair[1]["estimate"]]


def by_verdict(pairs):
    found = {"wins": [], "equal": [], "loses": []}
    for cell, one in pairs:
        found[one["verdict"]].append((cell, one))
    return found


def difference(ratio):
    """In words, as a share of the baseline's time."""
    share = 1 - 1 / ratio
    if abs(share) < 0.005:
        return "as much"
    return f"{abs(share):.0%} {'less' if share > 0 else 'more'}"


def loads(pairs):
    return f"{len(pairs)} load{'s' if len(pairs) != 1 else ''}"


def listed(pairs):
    """Each cell with its difference, the greatest first."""
    pairs = sorted(pairs, key=lambda pair: -abs(1 - 1 / pair[1]["estimate"]["ratio"]))
    return "; ".join(f"{cell['title']}: {difference(one['estimate']['ratio'])}"
                     for cell, one in pairs)


def answer(pairs):
    """Yes, no, or between: by how many cells are won and lost."""
    if len(pairs) < LOADS_MIN:
        return "So few results do not tell."
    found = by_verdict(pairs)
    wins, loses = len(found["wins"]) / len(pairs), len(found["loses"]) / len(pairs)
    if wins >= MOSTLY and not loses:
        return "Yes."
    if wins >= MOSTLY:
        return "Mostly yes, but not for every load."
    if loses >= MOSTLY:
        return "No." if not wins else "Mostly no."
    if not wins and not loses:
        return "It makes no difference that could be measured."
    return "It depends on the load."


def main_part(pairs):
    found = by_verdict(pairs)
    middle = statistics.median(one["estimate"]["ratio"] for _, one in pairs)
    text = (f"{answer(pairs)} Of {loads(pairs)} rollcall took less CPU time for a message than a "
            f"bare epoll server in {len(found['wins'])}, as much in {len(found['equal'])}, and "
            f"more in {len(found['loses'])}; in the median {difference(middle)}.")
    if found["wins"]:
        text += f" It saves in: {listed(found['wins'])}."
    if found["loses"]:
        text += f" It costs more in: {listed(found['loses'])}."
    return text


def unknown_part(results):
    count = sum(one["estimate"] is None for _, one in compared(results, BASELINE))
    return f"{count} more gave no result, so this is not the whole answer." if count else ""


def like_for_like_part(pairs):
    middle = statistics.median(one["estimate"]["ratio"] for _, one in pairs)
    return (f"The bare server keeps no table and no counters. Against the same program over epoll "
            f"({LIKE_FOR_LIKE}), which is what io_uring itself makes, it takes "
            f"{difference(middle)} in the median of {loads(pairs)}.")


def engine_part(pairs):
    """Which engine of rollcall to use, by what each costs."""
    found = by_verdict(pairs)
    if not found["loses"]:
        return "Of rollcall's engines io_uring is the one to use: epoll is cheaper for no load."
    titles = "; ".join(cell["title"] for cell, _ in found["loses"])
    rest = "for the rest" if found["wins"] else "where it makes no difference"
    return f"Use `--engine epoll` for: {titles}. Use io_uring {rest}."


def rate_part(results):
    pairs = against(results, BASELINE, "rate")
    if not pairs:
        return ""
    ratios = sorted(one["estimate"]["ratio"] for _, one in pairs)
    middle = difference(statistics.median(ratios))
    return (f"With a core each, at fixed rates, it takes {middle} in the median of "
            f"{loads(pairs)}, from {difference(ratios[-1])} to "
            f"{difference(ratios[0])}.")


def latency_part(results):
    texts = []
    for cell, one in against(results, BASELINE, "apart"):
        own, other = (cell["figures"][name] for name in ("rollcall", BASELINE))
        texts.append(f"{cell['title']}: p50 {own['p50_us']:.0f} us against {other['p50_us']:.0f}, "
                     f"p99 {own['p99_us']:.0f} against {other['p99_us']:.0f}")
    return f"Latency at a low rate: {'; '.join(texts)}." if texts else ""


def calls_part(results):
    pairs = [(cell["figures"]["rollcall"].get("system_calls"),
              cell["figures"][BASELINE].get("system_calls"))
             for cell, _ in against(results, BASELINE) if cell["clients"] >= 50]
    pairs = [pair for pair in pairs if None not in pair]
    if not pairs:
        return ""
    own, other = (statistics.median(column) for column in zip(*pairs))
    return (f"With 50 clients and more it makes {own:.3f} system calls for a message in the "
            f"median, epoll {other:.3f}: the dearer they are on a machine, the more it saves.")


def paragraph(results):
    pairs = against(results, BASELINE)
    if not pairs:
        return (f"{QUESTION} This run does not tell: it has no result that compares rollcall with "
                f"{BASELINE}.")
    parts = [QUESTION, main_part(pairs), unknown_part(results)]
    like_for_like = against(results, LIKE_FOR_LIKE)
    if like_for_like:
        parts += [like_for_like_part(like_for_like), engine_part(like_for_like)]
    parts += [rate_part(results), latency_part(results), calls_part(results)]
    noise = results["noise"]["shared"]
    parts += [f"Differences below {noise:.1%} count as equal, because equal servers differed by as "
              f"much in this run." if noise is not None else
              "There was no control: differences below 5% count as equal."]
    parts += ["All this is loopback, where no network card and no distance takes part, with a "
              "server that always finds much to do: wake-ups from idle are not in the cost."]
    return " ".join(part for part in parts if part)
