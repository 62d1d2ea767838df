# SPDX-License-Identifier: MIT
"""The options as --help states them, against the table of README.md, and --check, which shows those
in force."""

import pathlib
import re

from program import run_program

README = pathlib.Path(__file__).parents[2] / "README.md"


def run(*options):
    done = run_program(*options)
    assert done.returncode == 0
    return done.stdout


def options_of_help():
    """Of each option how it is written, and its default or ""."""
    found = {}
    for entry in re.split(r"\n  (?=-)", run("--help").partition("\n\nSizes")[0])[1:]:
        words = entry.split("  ")[0].split("\n")[0].strip()
        default = re.search(r"\(default (.*?)\)$", " ".join(entry.split()))
        found[words] = default[1] if default else ""
    return found


def options_of_readme():
    table = README.read_text(encoding="utf-8").partition("| option | meaning | default |\n")[2]
    rows = [row.strip("|").split(" | ") for row in table.partition("\n\n")[0].splitlines()[1:]]
    return {cells[0].strip(" `"): cells[-1].strip(" |").replace("`", "") for cells in rows}


def test_readme_has_the_table():
    stated, readme = options_of_help(), options_of_readme()
    assert len(stated) > 20
    assert list(readme) == list(stated)
    for words, default in stated.items():
        # A number may be explained: "0: none".
        assert re.split(r"[:,] (?!lines|others|raw)", readme[words])[0] == default, words


def test_check_shows_the_options():
    shown = run("--check", "--max-clients", "9", "--idle-timeout", "1.5", "--udp-low-ports",
                "--service=echo").partition("OPTION")[2]
    values = dict(line.split(None, 1) for line in shown.splitlines() if line.startswith("--"))
    assert values["--max-clients"] == "9"
    assert values["--idle-timeout"] == "1.5"
    assert values["--udp-low-ports"] == "yes"
    assert values["--service"] == "echo"
    assert values["--send-queue-bytes"] == "1M"
