"""The shop's customers: steady seeded traffic through nginx, and the bursts that a scenario asks for.

Invariant: the sequence of requests depends on the seed alone; only their times depend on the machine.
"""

import argparse
import concurrent.futures
import http.client
import json
import random
import sys
import threading
import time

from linelog import LineLog

WORDS = ["amber", "basil", "cedar", "delta", "ember", "fjord", "grove", "hazel", "indigo", "juniper"]
PROBES = ["/wp-login.php", "/.env", "/phpmyadmin/index.php", "/admin/config.php", "/.git/HEAD", "/backup.zip", "/xmlrpc.php"]


class Traffic:
    """Makes requests and writes one line for each."""

    def __init__(self, args):
        self.args, self.log = args, LineLog(args.log)
        self.random = random.Random(args.seed)
        self.count, self.lock = 0, threading.Lock()

    def send(self, method, path, body=None, source=101):
        """Sends one request and logs how it ended."""
        with self.lock:
            self.count += 1
            request = f"c-{self.count:06d}"
        headers = {"Host": "shop.example", "X-Request-Id": request, "User-Agent": "shop-client/1.8"}
        if body is not None:
            body = json.dumps(body).encode()
            headers.update({"Content-Type": "application/json", "Authorization": f"Bearer {self.args.token}"})
        started = time.monotonic()
        try:
            link = http.client.HTTPConnection(self.args.host, self.args.port, timeout=10, source_address=(f"127.0.0.{source}", 0))
            link.request(method, path, body, headers)
            answer = link.getresponse()
            time.sleep(0.05 if path == "/api/export" else 0.0)
            size, status = len(answer.read()), answer.status
            link.close()
            text = f"status={status} ms={(time.monotonic() - started) * 1000:.1f} bytes={size}"
            level = "ERROR" if status >= 500 else "WARN" if status >= 400 else "INFO"
        except OSError as error:
            level, text = "ERROR", f"status=- ms={(time.monotonic() - started) * 1000:.1f} error={type(error).__name__}"
        self.log.write(level, f"req={request} {method} {path} {text}")

    def ordinary(self):
        """One request of the usual mix, as arguments of `send`."""
        rng, dice = self.random, self.random.random()
        source = 101 + rng.randrange(8)
        if dice < 0.56:
            return "GET", f"/api/items/{rng.randrange(1, 2500)}", None, source
        if dice < 0.58:
            return "GET", f"/api/items/{rng.randrange(90000, 99000)}", None, source
        if dice < 0.68:
            return "GET", f"/api/search?q={rng.choice(WORDS)}", None, source
        if dice < 0.93:
            return "POST", "/api/orders", self._order(f"k-{rng.randrange(16 ** 8):08x}"), source
        if dice < 0.955:
            return "GET", "/api/report?range=day", None, source
        if dice < 0.962:
            return "GET", "/api/export", None, source
        return "GET", rng.choice(["/static/style.css", "/static/logo.svg", "/favicon.ico"]), None, source

    def _order(self, key):
        rng = self.random
        note = " ".join(rng.choice(WORDS) for _ in range(rng.randrange(4, 40)))
        return {"item": rng.randrange(1, 2500), "key": key, "note": note, "trace": rng.random() < 0.04}

    def burst(self, kind):
        """A harmless commotion that has nothing to do with the fault."""
        rng = random.Random(f"{self.args.seed}-{kind}")
        if kind == "scanner":
            for _ in range(70):
                self.send("GET", rng.choice(PROBES), None, 66)
                time.sleep(rng.uniform(0.01, 0.06))
        elif kind == "duplicates":
            order = {"item": 7, "key": "k-retry-loop", "note": "submitted again by an impatient script", "trace": False}
            for _ in range(45):
                self.send("POST", "/api/orders", order, 109)
                time.sleep(rng.uniform(0.03, 0.09))
        elif kind == "timeouts":
            for _ in range(6):
                self.send("GET", "/api/report?range=all", None, 108)
                time.sleep(rng.uniform(0.2, 0.5))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--log", required=True)
    parser.add_argument("--token", required=True)
    parser.add_argument("--seed", required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--bursts", default="{}", help="JSON: kind to second")
    args = parser.parse_args()
    traffic = Traffic(args)
    traffic.log.write("INFO", "client: starting, target http://shop.example/")
    timers = [threading.Timer(at, traffic.burst, [kind]) for kind, at in json.loads(args.bursts).items()]
    for timer in timers:
        timer.start()
    begun, due = time.monotonic(), 0.0
    with concurrent.futures.ThreadPoolExecutor(24) as pool:
        while due < args.seconds:
            time.sleep(max(0.0, begun + due - time.monotonic()))
            pool.submit(traffic.send, *traffic.ordinary())
            due += traffic.random.expovariate(args.rate)
    for timer in timers:
        timer.join()
    traffic.log.write("INFO", "client: done")


if __name__ == "__main__":
    sys.exit(main())
