# SPDX-License-Identifier: MIT
"""results.json: all that was found, each slice as the load has printed it included, and what
follows from it."""

import json
import os

from compare import cells, closing, estimate, measure

FORMAT = 4

SCHEMA = {
    "format": int, "began": str, "seconds": float, "arguments": list, "machine": dict,
    "method": {"namespace": (str, type(None)), "congestion_control": str, "server_core": int,
               "load_core": (int, type(None)), "policy": str, "system_calls": (str, type(None)),
               "wait_max": float, "confidence": float},
    "commands": dict, "missing": dict, "skipped": dict, "noise": dict,
    "cells": [{
        "name": str, "title": str, "transport": str, "clients": int, "bytes": int,
        "in_flight": int, "kind": str, "placement": str, "slice_ms": int,
        "rate_share": (float, type(None)), "options": (list, tuple), "seconds": float,
        "fault": (str, type(None)), "discarded": dict, "figures": dict, "system_calls": dict,
        "rounds": [{"order": list, "slices": dict, "discarded": dict}],
        "comparisons": [{"subject": str, "baseline": str, "target": (float, int, type(None)),
                         "metric": str, "is_control": bool, "estimate": (dict, type(None)), "verdict": str,
                         "reached": (str, type(None))}],
    }],
    "memory": [{"server": str, "clients": int, "user_bytes": float,
                "kernel_bytes": (float, type(None))}],
    "closing": str,
}


def check(value, schema=None, where="results"):
    """Fails with what does not have the form that it should have."""
    schema = SCHEMA if schema is None else schema
    if isinstance(schema, dict):
        check(value, dict, where)
        for name, part in schema.items():
            if name not in value:
                raise ValueError(f"{where} has no {name}")
            check(value[name], part, f"{where}.{name}")
    elif isinstance(schema, list):
        check(value, list, where)
        for index, one in enumerate(value):
            check(one, schema[0], f"{where}[{index}]")
    elif not isinstance(value, schema):
        raise ValueError(f"{where} is {value!r}, and not of the type {schema}")


def complete(results):
    """Adds all that follows from what was measured."""
    for cell in results["cells"]:
        measure.evaluate(cell)
    results["noise"] = {}
    for placement in cells.PLACEMENTS:
        comparisons = [one for cell in results["cells"] if cell["placement"] == placement
                       for one in cell["comparisons"]]
        noise = estimate.noise([one["estimate"] for one in comparisons if one["is_control"]])
        results["noise"][placement] = noise
        for one in comparisons:
            known = noise if one["metric"] == "cpu" else None  # there is no control of latency
            one["verdict"] = estimate.verdict(one["estimate"], known)
            one["reached"] = estimate.reaches(one["estimate"], one["target"])
    results["closing"] = closing.paragraph(results)


def faults(results):
    return [f"{cell['title']}: {cell['fault']}" for cell in results["cells"] if cell["fault"]]


def save(results, directory):
    os.makedirs(directory, exist_ok=True)
    path = os.path.join(directory, "results.json")
    text = json.dumps(results)
    check(json.loads(text))
    with open(path, "w", encoding="utf-8") as file:
        file.write(text + "\n")
    return path


def load(path):
    with open(path, encoding="utf-8") as file:
        results = json.load(file)
    check(results)
    if results["format"] != FORMAT:
        raise ValueError(f"{path} has format {results['format']}, and not {FORMAT}")
    return results
