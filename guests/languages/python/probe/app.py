"""Does what `envelope.operation` says and answers with what came of it: `{"ok": …}` or `{"err": {"type": …}}`.

Invariant: an attack that the host lets through shows as `ok`; nothing is caught that Python itself would not catch.
"""

import encodings.idna  # Names are resolved through it; loaded here because there are no files to load it from later.
import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
import urllib.request

from wit_world import exports
from wit_world.imports import attest, budget, context, log, store
from wit_world.imports.aim_types_types import Confidence, Emission, Envelope, Target_Next


def everything(body: dict):
    log.write(log.Level.INFO, "hello", [("step", context.step_name())])
    attest.set_confidence(Confidence(900_000, "counting"))
    put = store.put("text/plain", b"kept")
    return {
        "artifact": put.digest,
        "attempt": context.attempt(),
        "fuel_left": budget.fuel() is not None,
        "role": context.role(),
        "tenant": context.tenant(),
    }


def clocks(body: dict):
    before = time.monotonic_ns()
    time.sleep(body.get("seconds", 0))
    return {"slept_ms": (time.monotonic_ns() - before) // 1_000_000, "wall": int(time.time())}


def chance(body: dict):
    return {
        "hash": hash("a text"),
        "module": random.random(),
        "seeded": random.Random(os.urandom(8)).random(),
        "urandom": os.urandom(8).hex(),
    }


def connect(body: dict):
    with socket.create_connection(("127.0.0.1", 9), timeout=1) as connection:
        return connection.getpeername()


def listen(body: dict):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        return listener.getsockname()


def datagram(body: dict):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        return sender.sendto(b"x", ("127.0.0.1", 9))


def resolve(body: dict):
    return socket.getaddrinfo("localhost", 80)


def fetch(body: dict):
    with urllib.request.urlopen("http://127.0.0.1:9/") as answer:
        return answer.status


def read_file(body: dict):
    with open("/etc/passwd", encoding="utf-8") as file:
        return file.read()


def write_file(body: dict):
    with open("/tmp/out", "w", encoding="utf-8") as file:
        return file.write("x")


def list_folder(body: dict):
    return os.listdir("/")


def environment(body: dict):
    return {"arguments": sys.argv[1:], "variables": dict(os.environ), "stdin": sys.stdin.read()}


def run_program(body: dict):
    return subprocess.run(["/bin/true"], check=True).returncode


def thread(body: dict):
    other = threading.Thread(target=print)
    other.start()
    return other.is_alive()


def leave(body: dict):
    os._exit(3)


def leave_politely(body: dict):
    sys.exit(3)


def allocate(body: dict):
    return len(bytearray(body.get("bytes", 1 << 30)))


def hoard(body: dict):
    kept = []
    while True:
        kept.append(bytearray(1 << 20))


def spin(body: dict):
    while True:
        pass


def recurse(body: dict):
    def deeper(depth: int) -> int:
        return deeper(depth + 1)

    return deeper(0)


def chatter(body: dict):
    print("\x1b[31mred\x1b[0m")
    print("x" * body.get("bytes", 1 << 20), file=sys.stderr)
    return "said"


def raise_error(body: dict):
    raise RuntimeError("nobody catches this")


OPERATIONS = {
    "echo": lambda body: body,
    "everything": everything,
    "clocks": clocks,
    "chance": chance,
    "connect": connect,
    "listen": listen,
    "datagram": datagram,
    "resolve": resolve,
    "fetch": fetch,
    "read-file": read_file,
    "write-file": write_file,
    "list-folder": list_folder,
    "environment": environment,
    "run-program": run_program,
    "thread": thread,
    "leave": leave,
    "leave-politely": leave_politely,
    "allocate": allocate,
    "hoard": hoard,
    "spin": spin,
    "recurse": recurse,
    "chatter": chatter,
}


class Handler(exports.Handler):
    def handle(self, input: Envelope) -> list[Emission]:
        body = json.loads(input.body)
        if input.operation == "raise":
            raise_error(body)
        try:
            answer = {"ok": OPERATIONS[input.operation](body)}
        except Exception as error:
            answer = {"err": {"type": type(error).__name__, "message": str(error)}}
        text = json.dumps(answer, sort_keys=True)
        return [Emission(Target_Next(), input.operation, "application/json", [], text.encode())]
