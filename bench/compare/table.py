# SPDX-License-Identifier: MIT
"""The tables in the end of a run, for a terminal and in Markdown."""

import shutil
import textwrap

from compare import cells, estimate

HEAD = ("load", "against", "us", "its us", "ratio", "95% interval", "to reach", "verdict")
VERDICTS = {"wins": "wins", "loses": "LOSES", "equal": "equal", "unknown": "no result"}
REACHED = {"reached": "", "unclear": " ?", "missed": " short", None: ""}
PLACEMENTS = {
    "rate": (
        "A core each, at a fixed rate",
        f"Messages come at random times (Poisson), a share of what {cells.RATE_OF} can do at most "
        "under this load, and wait for a server that has a core of its own: what users have. The "
        "cost is that of the same work, and does not depend on the load's."),
    "shared": (
        "Server and load share a core",
        "Each runs until it has nothing left to do, so the server always finds all that its "
        "clients can have sent, and what differs is its own work for it. That leaves out wake-ups "
        "from idle and what passes between cores, and the load uses the caches too."),
    "apart": (
        "Server and load have a core each",
        "In a closed loop this is client-bound: the load takes as much CPU time for a message as "
        "the server, and the faster the server, the smaller the batches that it finds, so that "
        "most of a difference vanishes. It serves for latency at a low rate, and with --spin."),
}
NOISE_PLACES = {"rate": "at a fixed rate", "shared": "on a shared core", "apart": "on two cores"}
TEXT_COLUMNS = 100
RED, PLAIN = "\033[31m", "\033[0m"


def number(value, digits=2):
    return "-" if value is None else f"{value:.{digits}f}"


def cost(cell, name, metric="cpu"):
    """What is compared, in microseconds."""
    figures = cell["figures"].get(name)
    return None if figures is None else figures[metric + "_us"]


def opponents(one):
    """Who is compared with whom; rollcall itself need not be named."""
    if one["is_control"]:
        return f"{one['baseline']}, with itself"
    metric = "" if one["metric"] == "cpu" else f", {one['metric']}"
    if one["subject"] == "rollcall":
        return one["baseline"] + metric
    return f"{one['subject']} : {one['baseline']}{metric}"


def judgement(cell, one):
    if cell["fault"]:
        return "FAULT"
    if one["is_control"] and one["estimate"]:
        return "A/A"
    return "allowed" if is_allowed(one) else VERDICTS[one["verdict"]]


def is_allowed(one):
    """Whether it loses, but no more than it may."""
    return one["verdict"] == "loses" and one["reached"] == "reached"


def row(cell, one):
    found = one["estimate"]
    low, high = found["interval"] if found else (None, None)
    reach = number(one["target"]) + REACHED[one["reached"]]
    return (cell["name"], opponents(one), number(cost(cell, one["subject"], one["metric"])),
            number(cost(cell, one["baseline"], one["metric"])), number(found and found["ratio"], 3),
            f"{low:.3f}-{high:.3f}" if found else "-", reach, judgement(cell, one))


def rows(results, placement):
    """Each comparison as texts, and whether it has to be marked."""
    return [(row(cell, one), bool(cell["fault"]) or
             (one["verdict"] == "loses" and not is_allowed(one)))
            for cell in results["cells"] if cell["placement"] == placement
            for one in cell["comparisons"]]


def tables(results):
    """(title, what it tells, rows) of each that has any."""
    found = [(*PLACEMENTS[placement], rows(results, placement)) for placement in PLACEMENTS]
    return [one for one in found if one[2]]


def align(lines, left):
    """Texts in columns: the first `left` of them and the last two begin at the same place, the
    others end there."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return ["  ".join(text.ljust(width) if i < left or i >= len(widths) - 2 else text.rjust(width)
                      for i, (text, width) in enumerate(zip(line, widths))).rstrip()
            for line in lines]


def remarks(results):
    """What the table itself does not tell."""
    lines = [noise(results)]
    reached = [one["reached"] for cell in results["cells"] for one in cell["comparisons"]
               if one["target"] is not None]
    if reached:
        lines.append(f"Figures to reach: {reached.count('reached')} of {len(reached)} reached, "
                     f"{reached.count('unclear')} within the interval (?).")
    lines += discarded(results) + elsewhere(results) + calls(results) + growth(results)
    lines += memory(results) + lost(results) + unknown(results)
    lines += [f"Not measured: {name}: {reason}." for name, reason in results["skipped"].items()]
    return lines


def noise(results):
    found = [f"{share:.1%} {NOISE_PLACES[placement]}"
             for placement, share in results["noise"].items() if share is not None]
    return (f"Noise of this run (A/A): {', '.join(found)}. What differs by less is called equal"
            f"{'' if len(found) == len(PLACEMENTS) else ', without a control by 5%'}."
            if found else "No control was measured: what differs by less than 5% is called equal.")


def discarded(results):
    rounds = [one for cell in results["cells"] for one in cell["rounds"]]
    count = sum(len(one["discarded"]) for one in rounds)
    total = sum(len(one["slices"]) for one in rounds)
    return [f"Discarded: {count} of {total} slices, as others had a core for more than "
            f"{results['method']['wait_max']:.0%} of one (with 10,000 clients twice that)."
            ] if rounds else []


def elsewhere(results):
    """What no slice was discarded for, as all had it."""
    shares = [share for cell in results["cells"] if cell["placement"] == "shared"
              for share in estimate.least_elsewhere(cell["rounds"]).values()]
    return [f"Up to {max(shares):.0%} of the time of a shared core was neither the server's nor "
            "the load's in any slice, as where the kernel counts interrupts apart: their work is not "
            "in the figures."] if shares and max(shares) > results["method"]["wait_max"] else []


def calls(results):
    """The system calls that rollcall may make, and those it has made."""
    found = [(cell["figures"]["rollcall"]["system_calls"], cell) for cell in results["cells"]
             if cell["system_calls_max"] is not None and cell["figures"].get("rollcall") and
             cell["figures"]["rollcall"]["system_calls"] is not None]
    if not found:
        return []
    missed = [f"{cell['title']}: {count:.3f}" for count, cell in found
              if count > cell["system_calls_max"]]
    return [f"System calls for a message, at most {cells.SYSTEM_CALLS_MAX}: reached in "
            f"{len(found) - len(missed)} of {len(found)} cells" +
            (f"; not in {'; '.join(missed)}." if missed else ".")]


def growth(results):
    """From 50 to 10,000 clients the cost is to grow no faster than epoll's."""
    lines = []
    named = {cell["name"]: cell for cell in results["cells"]}
    for name, many in named.items():
        few = named.get(name.replace("/10000/", "/50/"))
        if "/10000/" not in name or few is None:
            continue
        costs = [[cost(cell, server) for cell in (few, many)]
                 for server in ("rollcall", "epoll-bare")]
        if all(None not in pair for pair in costs):
            own, other = (pair[1] / pair[0] for pair in costs)
            lines.append(f"Cost from 50 to 10,000 clients ({name}): rollcall {own:.2f} times, "
                         f"epoll-bare {other:.2f} times.")
    return lines


def memory(results):
    most = max((one["clients"] for one in results["memory"]), default=None)
    texts = [f"{one['server']} {one['user_bytes']:,.0f}" +
             (f" + {one['kernel_bytes']:,.0f}" if one["kernel_bytes"] is not None else "")
             for one in results["memory"] if one["clients"] == most]
    return [f"Bytes for each of {most:,} idle clients, user + kernel (both ends): "
            f"{'; '.join(texts)}. rollcall is to take at most {cells.USER_BYTES_MAX} + any."
            ] if texts else []


def lost(results):
    """Messages that were not answered in time, or twice, or that could not be sent."""
    lines = []
    for cell in results["cells"]:
        for name, figures in cell["figures"].items():
            faults = [f"{figures[what]} {what}"
                      for what in ("lost", "late", "duplicated", "reordered", "unsent")
                      if figures and figures[what]]
            if faults:
                lines.append(f"Of {figures['messages']:,} messages {name} has {', '.join(faults)}: "
                             f"{cell['title']}.")
    return lines


def unknown(results):
    """What to do where too few rounds were left."""
    count = sum(one["estimate"] is None and not cell["fault"] for cell in results["cells"]
                for one in cell["comparisons"])
    if not count:
        return []
    return [f"No result in {count} comparisons, as fewer than {estimate.ROUNDS_MIN} rounds were "
            "left. Keep the cores free of others, or allow more with --wait-max or --seconds."]


def terminal(results, is_coloured):
    """With the losing cells marked."""
    parts = []
    for title, text, found in tables(results):
        head, *lines = align([HEAD, *(texts for texts, _ in found)], 2)
        marked = [(f"{RED}{line} <<{PLAIN}" if is_coloured else f"{line} <<") if is_marked else line
                  for line, (_, is_marked) in zip(lines, found)]
        widest = max(map(len, [head, *lines]))
        rule = "-" * min(widest, shutil.get_terminal_size((widest, 24)).columns)
        parts += [*textwrap.wrap(f"{title}. {text}", TEXT_COLUMNS), "", head, rule, *marked, rule,
                  ""]
    return "\n".join([*parts, *remarks(results)]) if parts else ""


def pipes(lines, left):
    head, *others = lines
    rule = ["---" if i < left else "--:" for i in range(len(head))]
    return ["| " + " | ".join(line) + " |" for line in [head, rule, *others]]


def figures_rows(results):
    """Each server in each cell."""
    lines = [("load", "server", "CPU us", "messages/s", "p50 us", "p99 us", "p99.9 us",
              "system calls")]
    for cell in results["cells"]:
        for name, one in cell["figures"].items():
            if one:
                lines.append((cell["title"], name, number(one["cpu_us"]),
                              f"{one['messages_per_second']:,.0f}", number(one["p50_us"], 0),
                              number(one["p99_us"], 0), number(one["p99.9_us"], 0),
                              number(one["system_calls"], 3)))
    return lines


def memory_rows(results):
    return [("idle clients", "server", "user bytes", "kernel bytes, both ends")] + [
        (f"{one['clients']:,}", one["server"], f"{one['user_bytes']:,.0f}",
         "-" if one["kernel_bytes"] is None else f"{one['kernel_bytes']:,.0f}")
        for one in results["memory"]]


def markdown(results):
    parts = []
    for title, text, found in tables(results):
        lines = [(*texts[:-1], f"**{texts[-1]}**" if is_marked else texts[-1])
                 for texts, is_marked in found]
        parts += [[f"**{title}.** {text}"], pipes([HEAD, *lines], 2)]
    parts += [[f"- {line}" for line in remarks(results)], pipes(figures_rows(results), 2)]
    if results["memory"]:
        parts.append(pipes(memory_rows(results), 2))
    parts.append([results["closing"]])
    return "\n\n".join("\n".join(part) for part in parts)
