"""Takes the machine out of a log: paths, addresses and ports, by fixed rules and nothing else.

Invariant: a line is rewritten in place, never dropped, added or moved; times are left as the servers wrote them.
"""

import getpass
import re
import socket


def rules(stack):
    """The rewrites of one run, in the order in which they apply."""
    run, (nginx, app, db) = re.escape(str(stack.run)), stack.ports.values()
    return [
        (rf"{run}/(data|volume)", r"/srv/postgres/\1"),
        (rf"{run}", "/srv"),
        (rf"127\.0\.0\.11:{nginx}\b", "10.0.0.11:80"),
        (rf"127\.0\.0\.21:{app}\b", "10.0.0.21:8000"),
        (rf"127\.0\.0\.31:{db}\b", "10.0.0.31:5432"),
        (rf"\bport {db}\b", "port 5432"),
        (r"\b127\.0\.0\.(\d)", r"10.0.0.\1"),
    ]


def scrub(text, stack):
    """`text` after every rule; ends with a whole line."""
    text = text[:text.rindex("\n") + 1] if "\n" in text else ""
    for pattern, replacement in rules(stack):
        text = re.sub(pattern, replacement, text)
    return text


def leaks(text):
    """What is left of the machine in `text`: must be empty."""
    words = {socket.gethostname(), getpass.getuser(), "localhost"}
    found = [word for word in words if re.search(rf"\b{re.escape(word)}\b", text)]
    return found + [path for path in ("/tmp", "/root", "/work", "/home", "/usr", "/var", "127.0.") if path in text]
