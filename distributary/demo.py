"""The demo's questions, on real servers, with a real model and real text by real authors.

What happens to the money before and after is in orchestration/demo.py.
"""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from distributary.answers import Answer
from distributary.errors import DistributaryError, InputError, UnavailableError
from distributary.settings import Settings
from distributary.supervise import die_with_parent

DATANET = "installed-packages"
ACCOUNT = "demo"
CONTRIBUTOR = f"{ACCOUNT}-contributor"
# A customer that leaves at the end, and so another one in each run.
GUEST = f"{ACCOUNT}-guest"
GUEST_QUESTION = "What is the package pyarrow good for?"
MODEL = "smollm2-135m"
# Of these one is asked about, so that a bound owner is seen to earn.
BOUND_PACKAGE = "psycopg"
QUESTIONS = (
    "What is Alembic and what is it used for?",
    "What does the package prometheus_client do?",
    "What is psycopg?",
    "What can I do with the package rich?",
    "What is Typer based on?",
    "What does hypothesis do?",
)
MAX_TOKENS = 48
DEPOSIT_UNITS = 100 * 10**18
GUEST_DEPOSIT_UNITS = 10 * 10**18
CHARGE_UNITS_MAX = 10**18
ANSWER_S_MAX = 180.0
RECORD_S_MAX = 120.0
DRAIN_S_MAX = 60.0

Step = Callable[[str], None]


@dataclass(frozen=True)
class Earning:
    """A document's share of an answer's data: `weight` of 1,000,000,000."""

    document: str
    owner: str
    payee: str | None
    weight: int


@dataclass(frozen=True)
class Shown:
    """One row of the demo's table."""

    question: str
    answer: Answer
    earnings: list[Earning]
    commons: int


def register_datanet(settings: Settings, progress: Callable[[], object]) -> str:
    """Registers the descriptions of the installed packages; returns the owner of one of them.

    `progress` is called as documents are stored.
    """
    from distributary.datanets.opening import open_registrar
    from distributary.datanets.packages import package_documents
    from distributary.stack.server import quiet

    documents = package_documents()
    with open_registrar(settings, quiet, progress) as registrar:
        registrar.add_documents(DATANET, documents)
    return next(d.owner for d in documents if d.title.startswith(f"{BOUND_PACKAGE}:"))


def bind(settings: Settings, owner: str) -> str:
    """Binds an owner to a key made here, where he is not bound yet; returns the payee."""
    from distributary.keys import load_account_key, make_account_key
    from distributary.store import connect
    from distributary.store.owners import bind_owner

    try:
        key = make_account_key(settings.home, CONTRIBUTOR)
    except InputError:
        key = load_account_key(settings.home, CONTRIBUTOR)
    with connect(settings.require("postgres")) as connection:
        try:
            bind_owner(connection, owner, key.address)
        except InputError as error:
            if error.code != "already_bound":
                raise
    return key.address


@contextmanager
def running_jobs(settings: Settings) -> Iterator[None]:
    """Runs both jobs while the block runs, then drains them; their logs are in HOME/logs."""
    with ExitStack() as stack:
        for job in ("inference", "attribution"):
            stack.enter_context(_job(job, settings.home / "logs" / f"{job}.log"))
        yield


@contextmanager
def _job(job: str, log: Path) -> Iterator[None]:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as stream:
        command = [sys.executable, "-m", "distributary", "run", job]
        process = subprocess.Popen(
            command, stdout=stream, stderr=stream, preexec_fn=die_with_parent
        )
        try:
            yield
            if process.poll() is not None:
                raise DistributaryError(f"The {job} job ended: read {log}.")
        finally:
            process.terminate()
            try:
                process.wait(DRAIN_S_MAX)
            except subprocess.TimeoutExpired:
                process.kill()


def next_guest(settings: Settings) -> str:
    """The name of an account that there is not yet."""
    from distributary.keys import account_names

    taken = set(account_names(settings.home))
    return next(name for n in count(1) if (name := f"{GUEST}-{n}") not in taken)


def ask(
    settings: Settings, account: str, questions: Sequence[str], answered: Callable[[], object]
) -> list[Answer]:
    """Sends an account's questions and waits for the answers; `answered` is called after each."""
    from distributary.client import Client, write_body

    with Client.of(account, settings) as client:
        handles = [
            client.submit(
                client.sign(
                    write_body(
                        prompt=question, model=MODEL, datanet=DATANET, max_tokens=MAX_TOKENS
                    ),
                    max_charge_units=CHARGE_UNITS_MAX,
                )
            )
            for question in questions
        ]
        answers = []
        for handle in handles:
            answers.append(client.wait(handle, ANSWER_S_MAX))
            answered()
    return answers


def read_earnings(settings: Settings, answer: Answer) -> tuple[list[Earning], int]:
    """Waits until the attribution job has recorded an answer; returns its earnings and commons.

    Raises:
        UnavailableError: it was not recorded in time.
    """
    from distributary.store import connect
    from distributary.trace import trace

    deadline = time.monotonic() + RECORD_S_MAX
    while True:
        with connect(settings.require("postgres")) as connection:
            try:
                found: list[dict[str, Any]] = trace(
                    connection, settings.lake_path, answer.request_hash
                )
                weights = [Earning(**weight) for weight in found[0]["weights"]]
                return weights, int(found[0]["commons"] or 0)
            except InputError as error:
                if error.code != "unknown_request" or time.monotonic() > deadline:
                    raise UnavailableError(
                        "The attribution job has not recorded the answer: read "
                        f"{settings.home / 'logs' / 'attribution.log'}."
                    ) from error
        time.sleep(0.2)
