"""Makes the logs of the example: starts real servers, breaks one thing at a known time, and keeps what they wrote.

Invariant: a log is only replaced when its whole incident ran and nothing of the machine is left in it.
"""

import argparse
import datetime
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import time

import scrub
import truth
from pgwire import Connection, PgError
from servers import DB_IP, HERE, NGINX_IP, REPORTING_IP, TOKEN, WRONG_PASSWORD, APP_PASSWORD, Stack

EXAMPLE = HERE.parent
SECONDS, RATE = 100.0, 25.0
ALWAYS = ["favicon", "unknown-item", "buffered", "reload"]
# name: cause, second of the fault, second of the repair, bursts at seconds, reloads at seconds
INCIDENTS = {
    "disk-full": {"cause": "disk-full", "fault": 52, "repair": 84, "bursts": {"scanner": 18, "duplicates": 33}, "reloads": [12, 31, 70]},
    "wrong-password": {"cause": "wrong-password", "fault": 46, "repair": 78, "bursts": {"timeouts": 21, "scanner": 60}, "reloads": [11, 29]},
    "upstream-down": {"cause": "upstream-down", "fault": 58, "repair": 88, "bursts": {"reporting": 20, "duplicates": 36}, "reloads": [13, 44]},
    "quiet": {"cause": None, "bursts": {"scanner": 16, "duplicates": 34, "timeouts": 55, "reporting": 74}, "reloads": [12, 30, 50, 68, 86]},
}


def faults(stack):
    """For each cause, how to induce it and how to repair it."""

    def password(value):
        stack.configure_app(value)
        stack.reload_app()

    return {
        "disk-full": (stack.fill_volume, stack.empty_volume),
        "wrong-password": (lambda: password(WRONG_PASSWORD), lambda: password(APP_PASSWORD)),
        "upstream-down": (stack.kill_app, stack.start_app),
    }


def stale_reporting_job(stack):
    """A job that nobody depends on tries its old password three times."""
    for _ in range(3):
        try:
            Connection((DB_IP, stack.ports[DB_IP]), "reporting", "Quiet-Meadow-11", "shop", REPORTING_IP, "reporting").close()
        except PgError:
            time.sleep(1.1)


def schedule(stack, spec, marks):
    """What happens besides the traffic: (second, action) in order."""

    def mark(name, action):
        marks[name] = datetime.datetime.now(datetime.timezone.utc)
        action()

    plan = [(second, stack.reload_app) for second in spec["reloads"]]
    if "reporting" in spec["bursts"]:
        plan.append((spec["bursts"]["reporting"], lambda: threading.Thread(target=stale_reporting_job, args=[stack]).start()))
    if spec["cause"]:
        induce, repair = faults(stack)[spec["cause"]]
        plan.append((spec["fault"], lambda: mark("induced", induce)))
        plan.append((spec["repair"], lambda: mark("repaired", repair)))
    return sorted(plan, key=lambda item: item[0])


def customers(stack, name, spec, log):
    """Starts the client process."""
    bursts = json.dumps({kind: second for kind, second in spec["bursts"].items() if kind != "reporting"})
    where = ["--host", NGINX_IP, "--port", str(stack.ports[NGINX_IP]), "--log", log, "--token", TOKEN]
    how = ["--seed", f"triage-{name}", "--seconds", str(SECONDS), "--rate", str(RATE), "--bursts", bursts]
    return subprocess.Popen([sys.executable, "-B", HERE / "client.py", *where, *how])


def play(name, spec, cache):
    """Runs one incident from an empty folder to scrubbed logs, and returns them with the times of the fault."""
    run = pathlib.Path(tempfile.mkdtemp(prefix="triage-"))
    run.chmod(0o755)
    stack, marks = Stack(run, cache), {}
    try:
        stack.prepare()
        stack.start()
        client = customers(stack, name, spec, stack.logs / "client.log")
        begun = time.monotonic()
        for second, action in schedule(stack, spec, marks):
            time.sleep(max(0.0, begun + second - time.monotonic()))
            action()
        if client.wait() != 0:
            raise SystemExit(f"{name}: the client failed")
        texts = {file: scrub.scrub((stack.logs / file).read_text(encoding="utf-8"), stack) for file in truth.FILES}
    finally:
        stack.stop()
    return texts, marks


def keep(name, spec, texts, marks):
    """Writes the logs and the incident's truth, unless something of the machine is left in them."""
    for file, text in texts.items():
        left = scrub.leaks(text)
        if left:
            raise SystemExit(f"{name}/{file}: still holds {left}; nothing written")
    folder = "quiet" if name == "quiet" else f"logs/{name}"
    (EXAMPLE / folder).mkdir(parents=True, exist_ok=True)
    for file, text in texts.items():
        (EXAMPLE / folder / file).write_text(text, encoding="utf-8")
    logs = {file: text.splitlines() for file, text in texts.items()}
    herrings = [kind for kind in truth.HERRINGS if kind in spec["bursts"] or kind in ALWAYS]
    return truth.describe(name, folder, logs, spec["cause"], marks, herrings)


def write_truth(entries):
    """Replaces the entries of the incidents that were made again and leaves the others."""
    path = EXAMPLE / "truth.json"
    old = json.loads(path.read_text(encoding="utf-8"))["incidents"] if path.exists() else []
    merged = {entry["id"]: entry for entry in old} | {entry["id"]: entry for entry in entries}
    document = {"version": 1, "causes": list(truth.SIGNATURES), "dependency_order": ["client", "nginx", "app", "postgres"], "components": truth.COMPONENT,
                "incidents": [merged[name] for name in INCIDENTS if name in merged]}
    path.write_text(compact(json.dumps(document, indent=1)) + "\n", encoding="utf-8")


def compact(text):
    """Puts every [first, last] pair on one line with its neighbours."""
    text = re.sub(r"\[\s+(\d+),\s+(\d+)\s+\]", r"[\1, \2]", text)
    return re.sub(r"(\[\d+, \d+\],)\s+(?=\[)", r"\1 ", text)


def isolate(arguments):
    """Starts this script again where it may mount a small volume that ends with it."""
    how = ["--propagation", "private"] if os.getuid() == 0 else ["--user", "--map-root-user"]
    os.execvp("unshare", ["unshare", "--mount", *how, "--", sys.executable, "-B", __file__, "--inside", *arguments])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("incidents", nargs="*", help=f"any of {', '.join(INCIDENTS)}; all by default")
    parser.add_argument("--cache", type=pathlib.Path, default=pathlib.Path("/var/tmp/aim-triage-packages"), help="where Debian packages are unpacked")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    unknown = set(args.incidents) - set(INCIDENTS)
    if unknown:
        parser.error(f"no such incident: {', '.join(sorted(unknown))}")
    if not args.inside:
        isolate(sys.argv[1:])
    for name in args.incidents or INCIDENTS:
        print(f"{name}: {SECONDS:.0f} s of traffic", file=sys.stderr, flush=True)
        write_truth([keep(name, INCIDENTS[name], *play(name, INCIDENTS[name], args.cache))])


if __name__ == "__main__":
    main()
