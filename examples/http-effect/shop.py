"""A shop on this machine: answers payments, remembers their idempotency keys. `--slow` waits before it answers."""

import json
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

seen = {}


class Shop(BaseHTTPRequestHandler):
    def do_POST(self):
        order = json.loads(self.rfile.read(int(self.headers["content-length"])))["order"]
        key = self.headers["idempotency-key"]
        print(f"{order}: {'again' if key in seen else 'new'}, key {key}, authorized: {'authorization' in self.headers}")
        if "--slow" in sys.argv:
            time.sleep(15)
        body = seen.setdefault(key, f"receipt for {order}").encode()
        self.send_response(201)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


HTTPServer(("127.0.0.1", 8642), Shop).serve_forever()
