"""Checks the shipped logs against the truth file, without starting anything.

Invariant: exits 0 only if every stated line is what the truth says it is, nothing of the fault stands before its onset,
the quiet logs hold no sign of any fault, times run forward and nothing of a machine is left.
"""

import datetime
import json
import pathlib
import re
import sys

import scrub
import truth

EXAMPLE = pathlib.Path(__file__).resolve().parent.parent
# Several PostgreSQL processes write one file, each with the time at which it began the line.
BACKWARDS = datetime.timedelta(milliseconds=50)


def numbers_of(item):
    """The line numbers behind inclusive ranges."""
    return [number for first, last in item["lines"] for number in range(first, last + 1)]


def listed(logs, item):
    """Complaints about one list of lines."""
    lines, numbers = logs[item["file"]], numbers_of(item)
    wrong = [number for number in numbers if number > len(lines) or not re.search(item["pattern"], lines[number - 1])]
    if wrong:
        yield f"{item['file']}: lines {wrong[:5]} do not match {item['pattern']}"
    if len(numbers) != item["count"]:
        yield f"{item['file']}: {len(numbers)} lines listed, {item['count']} counted"


def fault(logs, incident):
    """Complaints about onset, end and the lines before the onset."""
    onset, end = incident["onset"], incident["end"]
    for place in (onset, end):
        if truth.iso(truth.time_of(logs[place["file"]][place["line"] - 1])) != place["time"]:
            yield f"{place['file']}:{place['line']} was not written at {place['time']}"
    if not incident["induced_at"][:19] <= onset["time"] <= incident["repaired_at"]:
        yield "the onset lies outside of the fault"
    for role, file, pattern in truth.SIGNATURES[incident["cause"]][1]:
        early = [n for n in truth.matching(logs[file], pattern) if truth.iso(truth.time_of(logs[file][n - 1])) < onset["time"]]
        if role in ("cause", "effect") and early:
            yield f"{file}: a sign of the fault before its onset, lines {early[:5]}"


def silence(logs):
    """Complaints about signs of a fault where there is none."""
    for cause, (_, signature) in truth.SIGNATURES.items():
        for role, file, pattern in signature:
            if role in ("cause", "effect") and truth.matching(logs[file], pattern):
                yield f"{file}: a sign of {cause}: {pattern}"


def hygiene(logs):
    """Complaints about times that run backwards and traces of a machine."""
    for file, lines in logs.items():
        left = scrub.leaks("\n".join(lines))
        if left:
            yield f"{file}: holds {left}"
        times = [time for time in map(truth.time_of, lines) if time]
        back = max((a - b for a, b in zip(times, times[1:])), default=BACKWARDS)
        if back > BACKWARDS:
            yield f"{file}: time runs back by {back}"


def complaints(incident):
    """Everything that is wrong with one incident."""
    folder = EXAMPLE / incident["logs"]
    logs = {file: (folder / file).read_text(encoding="utf-8").splitlines() for file in truth.FILES}
    found = [item for herring in incident["red_herrings"] for item in herring["found"]]
    for item in incident["evidence"] + found + incident["credentials"]:
        yield from listed(logs, item)
    yield from fault(logs, incident) if incident["cause"] else silence(logs)
    yield from hygiene(logs)


def main():
    incidents = json.loads((EXAMPLE / "truth.json").read_text(encoding="utf-8"))["incidents"]
    wrong = [f"{incident['id']}: {complaint}" for incident in incidents for complaint in complaints(incident)]
    print("\n".join(wrong) or f"{len(incidents)} incidents agree with truth.json")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
