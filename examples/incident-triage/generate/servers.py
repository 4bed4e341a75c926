"""Finds nginx and PostgreSQL, and starts them with their own logs on free loopback ports.

Invariant: nothing is installed and nothing outside the run folder and the package cache is written; every server started is stopped.
"""

import glob
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time

from pgwire import Connection, quote

HERE = pathlib.Path(__file__).resolve().parent
NGINX_IP, APP_IP, DB_IP, ADMIN_IP, REPORTING_IP = "127.0.0.11", "127.0.0.21", "127.0.0.31", "127.0.0.1", "127.0.0.41"
APP_PASSWORD, WRONG_PASSWORD = "Harbor-Lantern-58", "Harbor-Lantern-59"
TOKEN = "shop-demo-7f3a9c51e2d84b06a1c4"
UNPRIVILEGED = 65534

NGINX_CONF = """
worker_processes 1;
daemon off;
pid {run}/nginx/nginx.pid;
error_log {run}/logs/nginx-error.log warn;
events {{ worker_connections 512; }}
http {{
    types {{ text/css css; image/svg+xml svg; }}
    map "$time_iso8601|$msec" $time_ms {{
        "~^(?<second>[^+]+)[+]00:00[|][0-9]+[.](?<milli>[0-9]+)$" "$second.${{milli}}Z";
        default "$time_iso8601";
    }}
    log_format main '$time_ms $remote_addr "$request" status=$status bytes=$body_bytes_sent rt=$request_time '
                    'upstream=$upstream_addr ustatus=$upstream_status urt=$upstream_response_time '
                    'req=$http_x_request_id agent="$http_user_agent"';
    access_log {run}/logs/nginx-access.log main;
    client_body_temp_path {run}/nginx/body;
    proxy_temp_path {run}/nginx/proxy;
    fastcgi_temp_path {run}/nginx/fastcgi;
    uwsgi_temp_path {run}/nginx/uwsgi;
    scgi_temp_path {run}/nginx/scgi;
    upstream shop {{ server {app_ip}:{app_port}; }}
    server {{
        listen {nginx_ip}:{nginx_port} sndbuf=16k;
        server_name shop.example;
        root {run}/www;
        location /api/ {{
            proxy_pass http://shop;
            proxy_set_header X-Request-Id $http_x_request_id;
            proxy_buffers 4 8k;
            proxy_read_timeout 15s;
        }}
    }}
}}
"""

POSTGRES_CONF = """
listen_addresses = '{db_ip}'
port = {db_port}
unix_socket_directories = ''
max_connections = 40
shared_buffers = 16MB
work_mem = 2MB
jit = off
log_timezone = UTC
timezone = UTC
log_line_prefix = '%m [%p] %u@%d '
log_connections = on
log_statement = mod
log_min_duration_statement = 60
log_temp_files = 0
log_autovacuum_min_duration = 0
autovacuum_naptime = 15
checkpoint_timeout = 30
full_page_writes = on
fsync = on
"""

HBA = """host all dba 127.0.0.1/32 trust
host shop app 127.0.0.0/24 scram-sha-256
host shop reporting 127.0.0.0/24 scram-sha-256
"""

SCHEMA = [
    "CREATE TABLE items (id int PRIMARY KEY, name text NOT NULL, price int NOT NULL)",
    "CREATE TABLE orders (id bigserial PRIMARY KEY, item int NOT NULL,"
    " idem_key text UNIQUE USING INDEX TABLESPACE orders_volume NOT NULL, note text NOT NULL, at timestamptz DEFAULT now()) TABLESPACE orders_volume",
    "INSERT INTO items SELECT g, (ARRAY['amber','basil','cedar','delta','ember','fjord','grove','hazel','indigo','juniper'])[g % 10 + 1]"
    " || ' ' || substr(md5(g::text), 1, 6), g * 37 % 900 FROM generate_series(1, 2500) AS g",
    f"CREATE ROLE app LOGIN PASSWORD '{APP_PASSWORD}'",
    "CREATE ROLE reporting LOGIN PASSWORD 'Quiet-Meadow-12'",
    "GRANT SELECT, INSERT ON items, orders TO app",
    "GRANT USAGE ON SEQUENCE orders_id_seq TO app",
    "ALTER ROLE app SET statement_timeout = '900ms'",
]


def tool(name, package, patterns, cache):
    """The path of a server's binary: the system's own, else unpacked from Debian packages into `cache`."""
    for pattern in patterns:
        for root in ("/", str(cache / package)):
            found = sorted(glob.glob(root.rstrip("/") + pattern))
            if found:
                return pathlib.Path(found[-1])
    unpack(package, cache)
    for pattern in patterns:
        found = sorted(glob.glob(str(cache / package) + pattern))
        if found:
            return pathlib.Path(found[-1])
    raise SystemExit(f"{name} not found; install it with: apt-get install {package}")


def unpack(package, cache):
    """Downloads `package` with what it lacks on this system, and unpacks it; needs Debian's apt-get and no root."""
    target = cache / package
    target.mkdir(parents=True, exist_ok=True)
    plan = subprocess.run(["apt-get", "-s", "--no-install-recommends", "install", package], capture_output=True, text=True, check=True)
    names = [line.split()[1] for line in plan.stdout.splitlines() if line.startswith("Inst ")]
    subprocess.run(["apt-get", "-q", "download", *names], cwd=target, check=True, stdout=sys.stderr)
    for archive in target.glob("*.deb"):
        subprocess.run(["dpkg", "-x", archive, target], check=True)


def free_port(address):
    """A port that is free on `address` now."""
    with socket.socket() as probe:
        probe.bind((address, 0))
        return probe.getsockname()[1]


class Stack:
    """nginx, the application and PostgreSQL of one incident, in one run folder."""

    def __init__(self, run, cache):
        self.run, self.processes = pathlib.Path(run), {}
        self.nginx = tool("nginx", "nginx-light", ["/usr/sbin/nginx"], cache)
        self.pgbin = tool("PostgreSQL", "postgresql", ["/usr/lib/postgresql/*/bin/postgres"], cache).parent
        self.libraries = ":".join(str(p) for p in cache.glob("*/usr/lib/*-linux-gnu"))
        self.ports = {ip: free_port(ip) for ip in (NGINX_IP, APP_IP, DB_IP)}
        self.volume, self.logs = self.run / "volume", self.run / "logs"

    def prepare(self):
        """Folders, static files, configuration and a fresh database; its orders lie on a small volume of their own."""
        for name in ("logs", "volume", "data", "www/static", "nginx", "app"):
            (self.run / name).mkdir(parents=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m,mode=0777", "volume", self.volume], check=True)
        (self.run / "www/static/style.css").write_text("body { margin: 2em }\n" * 40)
        (self.run / "www/static/logo.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>\n")
        ports = {"app_port": self.ports[APP_IP], "nginx_port": self.ports[NGINX_IP], "db_port": self.ports[DB_IP]}
        names = {"run": self.run, "app_ip": APP_IP, "nginx_ip": NGINX_IP, "db_ip": DB_IP, **ports}
        (self.run / "nginx/nginx.conf").write_text(NGINX_CONF.format(**names))
        self.configure_app(APP_PASSWORD)
        give_away(self.run)
        data = self.run / "data"
        command = [self.pgbin / "initdb", "-D", data, "-U", "dba", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"]
        subprocess.run(unprivileged(command), check=True, stdout=subprocess.DEVNULL, env=self._env(), cwd=self.run, **drop())
        with open(data / "postgresql.conf", "a", encoding="utf-8") as file:
            file.write(POSTGRES_CONF.format(**names))
        (data / "pg_hba.conf").write_text(HBA)

    def start(self):
        """Starts the three servers in the order in which they need each other."""
        log = open(self.logs / "postgres.log", "ab")
        self._spawn("postgres", unprivileged([self.pgbin / "postgres", "-D", self.run / "data"]), stderr=log, **drop())
        self._wait(DB_IP)
        time.sleep(0.5)
        admin = self.admin("postgres")
        admin.query(f"CREATE TABLESPACE orders_volume LOCATION {quote(self.volume)}")
        admin.query("CREATE DATABASE shop")
        admin.close()
        admin = self.admin("shop")
        for sql in SCHEMA:
            admin.query(sql)
        admin.close()
        self.start_app()
        command = [self.nginx, "-c", self.run / "nginx/nginx.conf", "-p", self.run, "-e", self.logs / "nginx-error.log"]
        self._spawn("nginx", unprivileged(command), **drop())
        self._wait(NGINX_IP)

    def start_app(self):
        """Starts the application server and waits until it listens."""
        where = ["--listen", APP_IP, "--port", str(self.ports[APP_IP])]
        files = ["--config", self.run / "app/config.json", "--log", self.logs / "app.log"]
        self._spawn("app", [sys.executable, "-B", HERE / "app.py", *where, *files])
        self._wait(APP_IP)

    def configure_app(self, password):
        """Writes the application's configuration with this password; takes effect at the next reload."""
        hosts = {"db-1": [DB_IP, self.ports[DB_IP]]}
        settings = {"dsn": f"postgres://app:{password}@db-1:5432/shop", "hosts": hosts, "source": APP_IP}
        (self.run / "app/config.json").write_text(json.dumps(settings))

    def reload_app(self):
        self.processes["app"].send_signal(signal.SIGHUP)

    def kill_app(self):
        process = self.processes.pop("app")
        process.kill()
        process.wait()

    def fill_volume(self):
        """Another tenant's file takes what is left of the volume with the orders."""
        with open(self.volume / "nightly-export.dump", "wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"\0" * 65536)
            except OSError:
                return

    def empty_volume(self):
        (self.volume / "nightly-export.dump").unlink()

    def admin(self, database):
        return Connection((DB_IP, self.ports[DB_IP]), "dba", "", database, ADMIN_IP, "setup")

    def stop(self):
        """Stops what runs, nearest to the customers first, and takes the volume away."""
        for name, how in (("nginx", signal.SIGTERM), ("app", signal.SIGTERM), ("postgres", signal.SIGINT)):
            process = self.processes.pop(name, None)
            if process:
                process.send_signal(how)
                try:
                    process.wait(15)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        subprocess.run(["umount", self.volume], check=False)
        shutil.rmtree(self.run, ignore_errors=True)

    def _env(self):
        env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TZ": "UTC", "LC_ALL": "C"}
        return {**env, "LD_LIBRARY_PATH": self.libraries} if self.libraries else env

    def _spawn(self, name, command, **more):
        self.processes[name] = subprocess.Popen(command, env=self._env(), cwd=self.run, **more)

    def _wait(self, address):
        for _ in range(200):
            try:
                socket.create_connection((address, self.ports[address]), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        last = {path.name: path.read_text(encoding="utf-8").splitlines()[-3:] for path in self.logs.iterdir()}
        raise SystemExit(f"no server came up on {address}; the logs end with {last}")


def in_user_namespace():
    """True where root is only mapped: there is then one user and nobody to hand files to."""
    return pathlib.Path("/proc/self/uid_map").read_text().split()[2] == "1"


def drop():
    """Arguments of `subprocess` that give up root."""
    return {} if in_user_namespace() else {"user": UNPRIVILEGED, "group": UNPRIVILEGED, "extra_groups": []}


def unprivileged(command):
    """The servers treat a root that is only mapped as root: step into a second namespace where there is none."""
    return ["unshare", "--user", "--map-user=1000", "--map-group=1000", "--", *command] if in_user_namespace() else command


def give_away(folder):
    """Hands the run folder to the unprivileged user."""
    if in_user_namespace():
        return
    for path in [folder, *folder.rglob("*")]:
        os.chown(path, UNPRIVILEGED, UNPRIVILEGED)
