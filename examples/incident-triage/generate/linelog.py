"""A log file of one line per event, stamped in UTC to the millisecond.

Invariant: the stamp is taken under the same lock as the write, so stamps never go backwards within a file.
"""

import datetime
import threading


def stamp():
    """Now, as `2026-01-31T12:00:00.000Z`."""
    now = datetime.datetime.now(datetime.timezone.utc)
    return now.strftime("%Y-%m-%dT%H:%M:%S.") + f"{now.microsecond // 1000:03d}Z"


class LineLog:
    """Appends to `path`; every line is in the file when `write` returns."""

    def __init__(self, path):
        self.lock = threading.Lock()
        self.file = open(path, "a", buffering=1, encoding="utf-8")

    def write(self, level, text):
        with self.lock:
            self.file.write(f"{stamp()} {level:<5} {text}\n")
