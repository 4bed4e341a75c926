"""A PostgreSQL client that is just big enough for the example: protocol 3.0, simple queries, SCRAM-SHA-256.

Invariant: a connection that raised `Lost` is never used again; `PgError` carries the server's own words and SQLSTATE.
"""

import base64
import hashlib
import hmac
import secrets
import socket
import struct


class PgError(Exception):
    """The server answered with an ErrorResponse."""

    def __init__(self, fields):
        self.severity = fields.get("S", "ERROR")
        self.code = fields.get("C", "XX000")
        self.message = fields.get("M", "unknown")
        super().__init__(f"{self.severity}: {self.message}")


class Lost(Exception):
    """The connection ended in the middle of an exchange."""


def quote(value):
    """A string as an SQL literal."""
    return "'" + str(value).replace("'", "''") + "'"


class Connection:
    """One session; raises `PgError` when the server refuses it and `OSError` when nobody listens."""

    def __init__(self, address, user, password, database, source=None, name="shop"):
        self.sock = socket.create_connection(address, timeout=10, source_address=(source, 0) if source else None)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        try:
            self._start(user, password, database, name)
        except BaseException:
            self.sock.close()
            raise

    def _start(self, user, password, database, name):
        pairs = {"user": user, "database": database, "application_name": name}
        body = b"".join(k.encode() + b"\0" + v.encode() + b"\0" for k, v in pairs.items()) + b"\0"
        self.sock.sendall(struct.pack("!II", len(body) + 8, 196608) + body)
        scram = None
        while True:
            kind, payload = self._message()
            if kind == b"E":
                raise PgError(_fields(payload))
            if kind == b"Z":
                return
            if kind != b"R":
                continue
            step = struct.unpack("!I", payload[:4])[0]
            if step == 10:
                scram = Scram(password)
                first = scram.first()
                self._send(b"p", b"SCRAM-SHA-256\0" + struct.pack("!I", len(first)) + first)
            elif step == 11:
                self._send(b"p", scram.final(payload[4:]))

    def query(self, sql):
        """Runs one statement; rows are lists of text or None."""
        self._send(b"Q", sql.encode() + b"\0")
        rows, failure = [], None
        while True:
            kind, payload = self._message()
            if kind == b"D":
                rows.append(_row(payload))
            elif kind == b"E":
                failure = PgError(_fields(payload))
                if failure.severity in ("FATAL", "PANIC"):
                    raise failure
            elif kind == b"Z":
                if failure:
                    raise failure
                return rows

    def close(self):
        """Says goodbye, as a client should."""
        try:
            self._send(b"X", b"")
        except (OSError, Lost):
            pass
        self.sock.close()

    def _send(self, kind, body):
        self.sock.sendall(kind + struct.pack("!I", len(body) + 4) + body)

    def _message(self):
        head = self._take(5)
        return head[:1], self._take(struct.unpack("!I", head[1:])[0] - 4)

    def _take(self, count):
        while len(self.buffer) < count:
            more = self.sock.recv(65536)
            if not more:
                raise Lost("the server closed the connection")
            self.buffer += more
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken


class Scram:
    """The client's half of RFC 7677, without channel binding."""

    def __init__(self, password):
        self.password = password.encode()
        self.bare = b"n=,r=" + base64.b64encode(secrets.token_bytes(18))

    def first(self):
        return b"n,," + self.bare

    def final(self, server_first):
        parts = dict(item.split(b"=", 1) for item in server_first.split(b","))
        salted = hashlib.pbkdf2_hmac("sha256", self.password, base64.b64decode(parts[b"s"]), int(parts[b"i"]))
        key = hmac.digest(salted, b"Client Key", "sha256")
        without_proof = b"c=biws,r=" + parts[b"r"]
        message = self.bare + b"," + server_first + b"," + without_proof
        signature = hmac.digest(hashlib.sha256(key).digest(), message, "sha256")
        proof = bytes(a ^ b for a, b in zip(key, signature))
        return without_proof + b",p=" + base64.b64encode(proof)


def _fields(payload):
    return {part[:1].decode(): part[1:].decode("utf-8", "replace") for part in payload.split(b"\0") if part}


def _row(payload):
    count, offset, row = struct.unpack("!H", payload[:2])[0], 2, []
    for _ in range(count):
        size = struct.unpack("!i", payload[offset:offset + 4])[0]
        offset += 4
        row.append(None if size < 0 else payload[offset:offset + size].decode("utf-8", "replace"))
        offset += max(size, 0)
    return row
