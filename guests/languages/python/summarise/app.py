"""Summarises records: for each value of one field how many there are, and total, mean and median of another.

Invariant: equal records give equal bytes; nothing is taken from a clock, a random number or the order of a set.
"""

import csv
import io
import json
import statistics
from collections import defaultdict

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import context, log, store
from wit_world.imports.aim_types_types import (
    Emission,
    Envelope,
    Fault,
    StepError_InvalidInput,
    Target_Next,
)

GROUP = "shop"
VALUE = "amount"


def invalid(message: str) -> Err:
    """An answer of the step, not a crash: the envelope does not satisfy the contract."""
    return Err(StepError_InvalidInput(Fault("SUM-E001", message)))


def grouped(records: list[dict]) -> dict[str, list[int]]:
    groups = defaultdict(list)
    for record in records:
        value = record.get(VALUE)
        if not isinstance(value, int) or GROUP not in record:
            raise invalid(f"a record has no `{GROUP}` or no whole `{VALUE}`")
        groups[str(record[GROUP])].append(value)
    return groups


def summary(values: list[int]) -> dict:
    return {
        "count": len(values),
        "total": sum(values),
        "mean": round(statistics.fmean(values), 2),
        "median": statistics.median(values),
    }


def table(groups: dict[str, dict]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([GROUP, "count", "total", "mean", "median"])
    for name, row in groups.items():
        writer.writerow([name, *row.values()])
    return text.getvalue().encode()


class Handler(exports.Handler):
    def handle(self, input: Envelope) -> list[Emission]:
        body = json.loads(input.body)
        groups = grouped(body["records"])
        groups = {name: summary(groups[name]) for name in sorted(groups)}
        fields = [("step", context.step_name()), ("groups", str(len(groups)))]
        log.write(log.Level.INFO, "summarised", fields)
        sheet = store.put("text/csv", table(groups))
        answer = {
            "field": VALUE,
            "groups": groups,
            "records": len(body["records"]),
            "rejected_lines": body["rejected_lines"],
        }
        text = json.dumps(answer, sort_keys=True)
        return [Emission(Target_Next(), "summarised", "application/json", [sheet], text.encode())]
