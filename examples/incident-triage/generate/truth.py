"""Derives the truth of an incident from its logs and the times at which the fault was induced and repaired.

Invariant: every line number that it writes is found by a stated pattern within a stated time; nothing is typed in by hand.
"""

import datetime
import re

FILES = ["postgres.log", "app.log", "nginx-error.log", "nginx-access.log", "client.log"]
COMPONENT = {"postgres.log": "postgres", "app.log": "app", "nginx-error.log": "nginx", "nginx-access.log": "nginx", "client.log": "client"}
BAD_GATEWAY = r"connect\(\) failed \(111: Connection refused\) while connecting to upstream"
CUT_OFF = r"(recv\(\) failed \(104: Connection reset by peer\)|upstream prematurely closed connection) while reading response header"

# cause: the component at fault, then (role, file, pattern). A cause line names the fault, an effect line suffers from it,
# a context line continues a cause line, a precursor is a sane line that announces the change, a recovery line its repair.
SIGNATURES = {
    "disk-full": ("postgres", [
        ("cause", "postgres.log", r"No space left on device|: wrote only \d+ of \d+ bytes"),
        ("context", "postgres.log", r"HINT:  Check free disk space"),
        ("cause", "app.log", r"sqlstate=53100"),
        ("effect", "app.log", r" status=500 "),
        ("effect", "nginx-access.log", r" status=500 "),
        ("effect", "client.log", r" status=500 "),
    ]),
    "wrong-password": ("app", [
        ("precursor", "app.log", r"config: loaded"),
        ("cause", "postgres.log", r'FATAL:  password authentication failed for user "app"'),
        ("context", "postgres.log", r'app@shop DETAIL:  Connection matched pg_hba\.conf line'),
        ("cause", "app.log", r"sqlstate=28P01"),
        ("effect", "app.log", r" status=500 "),
        ("effect", "nginx-access.log", r" status=500 "),
        ("effect", "client.log", r" status=500 "),
        ("recovery", "app.log", r"config: loaded"),
    ]),
    "upstream-down": ("app", [
        ("cause", "nginx-error.log", BAD_GATEWAY),
        ("effect", "nginx-error.log", CUT_OFF),
        ("effect", "nginx-access.log", r" status=502 "),
        ("effect", "client.log", r" status=502 "),
        ("recovery", "app.log", r"app: starting|app: listening"),
    ]),
}
HERRINGS = {
    "scanner": ("one address asks for files that never existed", {
        "nginx-access.log": r" 10\.0\.0\.66 ", "nginx-error.log": r"client: 10\.0\.0\.66",
        "client.log": r" /(wp-login|\.env|phpmyadmin|admin/config|\.git|backup|xmlrpc)"}),
    "duplicates": ("a script submits one order again and again; the database refuses the copies", {
        "postgres.log": r"duplicate key value|k-retry-loop", "app.log": r"duplicate submission| status=409 ",
        "nginx-access.log": r" status=409 ", "client.log": r" status=409 "}),
    "timeouts": ("a few reports over the whole range hit the statement timeout", {
        "postgres.log": r"canceling statement due to statement timeout", "app.log": r"sqlstate=57014| status=503 ",
        "nginx-access.log": r" status=503 ", "client.log": r" status=503 "}),
    "reporting": ("a reporting job with a stale password of its own tries three times and gives up", {
        "postgres.log": r'authentication failed for user "reporting"'}),
    "favicon": ("browsers ask for an icon that is not there", {
        "nginx-error.log": r"/favicon\.ico", "nginx-access.log": r"/favicon\.ico", "client.log": r"/favicon\.ico"}),
    "unknown-item": ("old links lead to items that are gone", {
        "app.log": r"/api/items/9\d{4} status=404", "nginx-access.log": r"/api/items/9\d{4} .* status=404", "client.log": r"/api/items/9\d{4} status=404"}),
    "buffered": ("nginx buffers a large answer on disk", {"nginx-error.log": r"an upstream response is buffered"}),
    "reload": ("the application reads an unchanged configuration again", {"app.log": r"config: loaded"}),
}
CREDENTIALS = {
    "connection-string": r"postgres://[^:/@ ]+:[^@ ]+@",
    "bearer-token": r"Authorization: Bearer \S+",
    "sql-password": r"PASSWORD '[^']+'",
}


def time_of(line):
    """When a line was written, or None for a line that continues another."""
    for pattern, form in ((r"(\d{4}-\d\d-\d\dT[\d:]{8}\.\d{3})Z", "%Y-%m-%dT%H:%M:%S.%f"), (r"(\d{4}-\d\d-\d\d [\d:]{8}\.\d{3}) UTC", "%Y-%m-%d %H:%M:%S.%f"),
                          (r"(\d{4}/\d\d/\d\d [\d:]{8}) ", "%Y/%m/%d %H:%M:%S")):
        match = re.match(pattern, line)
        if match:
            return datetime.datetime.strptime(match[1], form).replace(tzinfo=datetime.timezone.utc)
    return None


def iso(time):
    """A time as the truth file writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.") + f"{time.microsecond // 1000:03d}Z"


def ranges(numbers):
    """Line numbers as inclusive ranges."""
    out = []
    for number in numbers:
        if out and out[-1][1] == number - 1:
            out[-1][1] = number
        else:
            out.append([number, number])
    return out


def matching(lines, pattern, since=None, until=None):
    """The 1-based numbers of the lines that match within the times given (to the second: one log has no finer clock)."""
    floor = since.replace(microsecond=0) if since else None
    found = []
    for number, line in enumerate(lines, 1):
        if re.search(pattern, line):
            time = time_of(line)
            if (floor is None or time >= floor) and (until is None or time <= until):
                found.append(number)
    return found


def point(logs, file, number):
    """A place in a log with the time that stands there."""
    return {"file": file, "line": number, "time": iso(time_of(logs[file][number - 1])), "resolution_ms": 1000 if file == "nginx-error.log" else 1}


def entry(logs, file, pattern, numbers):
    """Matching lines of one file, as the truth file lists them."""
    return {"file": file, "component": COMPONENT[file], "pattern": pattern, "count": len(numbers), "first": point(logs, file, numbers[0]),
            "last": point(logs, file, numbers[-1]), "lines": ranges(numbers)}


def evidence_of(logs, signature, marks):
    """What the fault wrote, by role; a precursor stands within a second of the fault, a recovery within two of the repair."""
    out = []
    for role, file, pattern in signature:
        since = marks["repaired"] if role == "recovery" else marks["induced"]
        until = since + datetime.timedelta(seconds={"precursor": 1, "recovery": 2}.get(role, 3600))
        numbers = matching(logs[file], pattern, since, until)
        if numbers:
            out.append({"role": role, **entry(logs, file, pattern, numbers)})
    return out


def herring_of(logs, kind, taken):
    """A commotion or a habit that is not the fault, without the lines that the fault already claims."""
    what, patterns = HERRINGS[kind]
    found = []
    for file, pattern in patterns.items():
        numbers = [number for number in matching(logs[file], pattern) if (file, number) not in taken]
        if numbers:
            found.append(entry(logs, file, pattern, numbers))
    return {"kind": kind, "what": what, "found": found}


def describe(name, folder, logs, cause, marks, herrings):
    """The truth of one folder of logs."""
    times = [time_of(line) for lines in logs.values() for line in lines]
    span = [time for time in times if time]
    truth = {"id": name, "logs": folder, "window": {"from": iso(min(span)), "to": iso(max(span))}, "cause": cause,
             "component": None, "onset": None, "end": None, "evidence": [], "red_herrings": [], "credentials": []}
    taken = set()
    if cause:
        component, signature = SIGNATURES[cause]
        evidence = evidence_of(logs, signature, marks)
        told = [item for item in evidence if item["role"] in ("cause", "effect")]
        onset = min((item["first"] for item in told), key=lambda p: (p["time"], FILES.index(p["file"])))
        end = max((item["last"] for item in told), key=lambda p: (p["time"], FILES.index(p["file"])))
        truth.update(component=component, induced_at=iso(marks["induced"]), repaired_at=iso(marks["repaired"]), onset=onset, end=end, evidence=evidence)
        taken = {(item["file"], number) for item in evidence for first, last in item["lines"] for number in range(first, last + 1)}
    truth["red_herrings"] = [herring_of(logs, kind, taken) for kind in herrings]
    for kind, pattern in CREDENTIALS.items():
        for file in FILES:
            numbers = matching(logs[file], pattern)
            if numbers:
                truth["credentials"].append({"kind": kind, "file": file, "pattern": pattern, "count": len(numbers), "lines": ranges(numbers)})
    return truth
