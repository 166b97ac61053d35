"""An anvil of one test: started in 0.1 s, mines when it is told to, and can be re-organised."""

import itertools
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from distributary.stack.anvil import ask, fetch
from distributary.stack.process import wait_until
from distributary.stack.server import quiet

SLOTS = 4  # `finalized` is eight blocks behind the head


class AnvilNode:
    """One anvil process; without `block_s` blocks are mined by `mine` and by nothing else."""

    def __init__(self, program: Path, folder: Path, *options: str, port: int = 0) -> None:
        self.port = port or _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._argv = [str(program), f"--port={self.port}", *options]
        self._argv += [f"--slots-in-an-epoch={SLOTS}", f"--cache-path={folder / 'cache'}"]
        self._log = folder / "anvil.log"
        self.start()

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._argv, stdout=log, stderr=log)
        assert wait_until(self._answers, 20), self._log.read_text()

    def _answers(self) -> bool:
        try:
            return ask(self.url, "eth_chainId") is not None
        except OSError:
            return False

    def ask(self, method: str, *parameters: object) -> Any:
        return ask(self.url, method, *parameters)

    def mine(self, blocks: int = 1) -> None:
        for _ in range(blocks):
            self.ask("evm_mine")

    @property
    def head(self) -> int:
        return int(self.ask("eth_blockNumber"), 16)

    @property
    def accounts(self) -> list[str]:
        return list(self.ask("eth_accounts"))

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


StartNode = Callable[..., AnvilNode]


@pytest.fixture
def start_node(servers_cache: Path, tmp_path: Path) -> Iterator[StartNode]:
    """`start_node("--block-time=1", port=0)`: an anvil that ends with the test."""
    nodes: list[AnvilNode] = []
    numbers = itertools.count()
    program = fetch(servers_cache, quiet)

    def start(*options: str, port: int = 0) -> AnvilNode:
        folder = tmp_path / f"anvil-{next(numbers)}"
        folder.mkdir()
        nodes.append(AnvilNode(program, folder, *options, port=port))
        return nodes[-1]

    yield start
    for node in nodes:
        node.stop()


@pytest.fixture
def node(start_node: StartNode) -> AnvilNode:
    """An anvil that mines each transaction at once."""
    return start_node()
