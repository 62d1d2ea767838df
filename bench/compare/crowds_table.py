# SPDX-License-Identifier: MIT
"""The figures of bench/crowds, for a terminal and in Markdown."""

from compare import table
from compare.crowds import END_LIMIT_S

HEAD = ("crowd", "server", "p50 ms", "p99 ms", "max ms", "threads", "MiB", "ended", "stops in s",
        "CPU s")
FLOOD_P50_MAX_MS, FLOOD_P99_MAX_MS = 5, 20
STOP_MAX_S = 6  # rollcall's default --drain-timeout, and one
FAILED_TEXT_MAX = 160
BUSY_MAX = 0.1


def number(value, digits, scale=1):
    return "-" if value is None else f"{value / scale:.{digits}f}"


def milliseconds(value):
    return number(value, 2 if value is not None and value < 10000 else 0, 1000)


def title(one):
    return f"{one['clients']:,} {one['crowd']}" if one["clients"] else one["crowd"]


def row(one):
    if one["failed"]:
        waits = ("FAILED", "-", "-")
    else:
        waits = tuple(milliseconds(one[name]) for name in ("p50_us", "p99_us", "max_us"))
    return (title(one), one["server"], *waits, number(one["threads"], 0),
            number(one["memory_bytes"], 0, 1 << 20), number(one["gone"], 0), seconds(one),
            number(one["end_cpu_s"], 2))


def seconds(one):
    return f">{END_LIMIT_S}" if one["end_seconds"] is None else f"{one['end_seconds']:.2f}"


def judged(value, most, unit):
    return f"{value:.1f} {unit} ({'reached' if value <= most else 'MISSED'})"


def goals(found):
    """What rollcall has to reach, in the same run beside memcached."""
    named = {(one["crowd"], one["server"]): one for one in found["figures"]}
    one, other = (named.get(("flooders", name)) for name in ("rollcall reply", "memcached"))
    if one and one["p99_us"] is not None and not one["failed"]:
        text = (f"Beside flooders rollcall reply has p50 "
                f"{judged(one['p50_us'] / 1000, FLOOD_P50_MAX_MS, 'ms')} and p99 "
                f"{judged(one['p99_us'] / 1000, FLOOD_P99_MAX_MS, 'ms')}, to be at most "
                f"{FLOOD_P50_MAX_MS} and {FLOOD_P99_MAX_MS} ms")
        if other and other["p99_us"] is not None and not other["failed"]:
            text += f"; memcached has p99 {other['p99_us'] / 1000:.1f} ms"
        yield text + "."
    late = [f"{title(one)}, {one['server']}: {seconds(one)} s" for one in found["figures"]
            if one["server"].startswith("rollcall") and
            (one["end_seconds"] is None or one["end_seconds"] > STOP_MAX_S)]
    yield (f"After SIGTERM rollcall is to stop within {STOP_MAX_S} s: " +
           (f"MISSED ({'; '.join(late)})." if late else "reached."))


def remarks(found):
    lines = list(goals(found))
    delays = [one["delay_p99_us"] for one in found["figures"] if one["delay_p99_us"] is not None]
    if delays:
        lines.append("The steady client itself sent late by up to "
                     f"{max(delays) / 1000:.2f} ms (p99).")
    if found["machine"]["busy"] > BUSY_MAX:
        lines.append(f"Others kept the cores busy ({found['machine']['busy']:.0%}) when it began: the "
                     "waits are theirs too.")
    lines += [f"{title(one)}, {one['server']}: {one['failed'][:FAILED_TEXT_MAX]}."
              for one in found["figures"] if one["failed"]]
    lines += [f"Not measured: {name}: {reason}." for name, reason in found["skipped"].items()]
    return lines


def terminal(found):
    rows = [row(one) for one in found["figures"]]
    if not rows:
        return "\n".join(remarks(found))
    # The same crowd is named once.
    for index in range(len(rows) - 1, 0, -1):
        if rows[index][0] == rows[index - 1][0]:
            rows[index] = ("", *rows[index][1:])
    widths = [max(len(line[i]) for line in (HEAD, *rows)) for i in range(len(HEAD))]
    lines = ["  ".join(text.ljust(width) if i < 2 else text.rjust(width)
                       for i, (text, width) in enumerate(zip(line, widths))).rstrip()
             for line in (HEAD, *rows)]
    return "\n".join([*lines, "", *remarks(found)])


def markdown(found):
    lines = table.pipes([HEAD, *(row(one) for one in found["figures"])], 2)
    return "\n".join([*lines, "", *(f"- {line}" for line in remarks(found))])
