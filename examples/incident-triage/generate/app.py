"""The shop's application server: HTTP on one side, PostgreSQL on the other, and a debug log that says too much.

Invariant: every request that reaches it is answered and logged, whatever the database does.
"""

import argparse
import http.server
import itertools
import json
import queue
import signal
import socketserver
import sys
import threading
import time
import urllib.parse

from linelog import LineLog
from pgwire import Connection, Lost, PgError, quote

POOL = 6
THREAD, NAMES = threading.local(), itertools.cycle(range(1, 17))
EXPORT = "SELECT id, name, price, day FROM items CROSS JOIN generate_series(1, 9) AS day ORDER BY id, day"
REPORT = "SELECT count(*), max(h) FROM (SELECT md5(g::text) AS h FROM generate_series(1, {rows}) AS g ORDER BY 1) AS s"


class Unreachable(Exception):
    """The database refused the session; the log has been told."""


class Database:
    """A pool of `POOL` sessions at most; a reload forgets them all."""

    def __init__(self, config, log):
        self.config, self.log = config, log
        self.slots = threading.Semaphore(POOL)
        self.reload()

    def reload(self):
        """Reads the configuration again; open sessions end when they come back."""
        with open(self.config, encoding="utf-8") as file:
            self.settings = json.load(file)
        self.idle = queue.LifoQueue()
        self.log.write("INFO", "[main] config: loaded /srv/app/config.json, database pool emptied")

    def run(self, request, name, sql):
        """Runs one statement on a session of the pool and returns its rows."""
        with self.slots:
            idle = self.idle
            session = self._take(idle, request)
            started = time.monotonic()
            try:
                rows = session.query(sql)
            except PgError as error:
                if error.severity in ("FATAL", "PANIC"):
                    session.close()
                else:
                    self._give(idle, session)
                raise
            except (OSError, Lost):
                session.close()
                raise
            self._give(idle, session)
        took = (time.monotonic() - started) * 1000
        self.log.write("DEBUG", f"[{worker()}] db: query={name} rows={len(rows)} ms={took:.1f} req={request}")
        return rows

    def _take(self, idle, request):
        try:
            return idle.get_nowait()
        except queue.Empty:
            pass
        dsn = urllib.parse.urlsplit(self.settings["dsn"])
        self.log.write("DEBUG", f"[{worker()}] db: connecting dsn={self.settings['dsn']} req={request}")
        address = tuple(self.settings["hosts"][dsn.hostname])
        try:
            return Connection(address, dsn.username, dsn.password, dsn.path[1:], self.settings["source"])
        except PgError as error:
            told = f"dsn={self.settings['dsn']} sqlstate={error.code} {error.severity}: {error.message}"
            self.log.write("ERROR", f"[{worker()}] db: connect failed: {told} req={request}")
            raise Unreachable(error.message) from error

    def _give(self, idle, session):
        if idle is self.idle:
            idle.put(session)
        else:
            session.close()


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """One thread per request; a deep enough accept queue."""

    daemon_threads = True
    request_queue_size = 128
    allow_reuse_address = True

    def server_bind(self):
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "app-1", self.server_address[1]


def worker():
    """A short name of the current thread, given in turn."""
    if not hasattr(THREAD, "name"):
        THREAD.name = f"w-{next(NAMES):02d}"
    return THREAD.name


class Handler(http.server.BaseHTTPRequestHandler):
    """Routes of the shop."""

    def do_GET(self):
        self._serve(None)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._serve(json.loads(body))

    def _serve(self, body):
        started = time.monotonic()
        self.request_id = self.headers.get("X-Request-Id", "-")
        url = urllib.parse.urlsplit(self.path)
        try:
            status, answer = self._route(url, body)
        except PgError as error:
            status, answer = self._refused(error)
        except Unreachable:
            status, answer = 500, {"error": "database"}
        except (OSError, Lost) as error:
            status, answer = 500, {"error": "database"}
            self._log("ERROR", f"db: connection lost: {error}")
        payload = json.dumps(answer).encode()
        took = (time.monotonic() - started) * 1000
        level = "ERROR" if status >= 500 else "WARN" if status >= 400 else "INFO"
        self._log(level, f"http: {self.command} {self.path} status={status} ms={took:.1f}")
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def _route(self, url, body):
        parts = url.path.strip("/").split("/")
        if parts[:2] == ["api", "items"] and len(parts) == 3:
            rows = self._db("item_by_id", f"SELECT id, name, price FROM items WHERE id = {int(parts[2])}")
            return (200, rows[0]) if rows else (404, {"error": "no such item"})
        if parts == ["api", "search"]:
            word = urllib.parse.parse_qs(url.query).get("q", [""])[0]
            sql = f"SELECT id, name FROM items WHERE name LIKE {quote('%' + word + '%')} ORDER BY price LIMIT 10"
            return 200, self._db("search_items", sql)
        if parts == ["api", "orders"] and body is not None:
            return self._order(body)
        if parts == ["api", "report"]:
            return self._report(urllib.parse.parse_qs(url.query).get("range", ["day"])[0])
        if parts == ["api", "export"]:
            return 200, self._db("export_items", EXPORT)
        return 404, {"error": "no such route"}

    def _order(self, body):
        if body["trace"]:
            self._log("DEBUG", f"http: request headers Authorization: {self.headers.get('Authorization')}")
        values = f"{int(body['item'])}, {quote(body['key'])}, {quote(body['note'])}"
        sql = f"INSERT INTO orders (item, idem_key, note) VALUES ({values}) RETURNING id"
        return 201, {"id": self._db("insert_order", sql)[0][0]}

    def _report(self, span):
        rows = 60000 if span == "day" else 3000000
        return 200, self._db("report", REPORT.format(rows=rows))

    def _refused(self, error):
        if error.code == "23505":
            self._log("WARN", f"orders: duplicate submission ignored: sqlstate={error.code} {error.message}")
            return 409, {"error": "duplicate"}
        self._log("ERROR", f"db: query failed: sqlstate={error.code} {error.severity}: {error.message}")
        return (503 if error.code == "57014" else 500), {"error": "database"}

    def _db(self, name, sql):
        return self.server.database.run(self.request_id, name, sql)

    def _log(self, level, text):
        self.server.log.write(level, f"[{worker()}] {text} req={self.request_id}")

    def log_message(self, *_):
        pass


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--listen", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--config", required=True)
    parser.add_argument("--log", required=True)
    args = parser.parse_args()
    log = LineLog(args.log)
    log.write("INFO", "[main] app: starting shop 2.4.1, log level DEBUG")
    server = Server((args.listen, args.port), Handler)
    server.log, server.database = log, Database(args.config, log)
    signal.signal(signal.SIGHUP, lambda *_: threading.Thread(target=server.database.reload).start())
    log.write("INFO", "[main] app: listening on app-1:8000")
    server.serve_forever()


if __name__ == "__main__":
    sys.exit(main())
