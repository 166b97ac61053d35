"""Every setting on one screen: its environment variable, default, and the reason for its value.

A value comes from, in this order: the environment variable, `endpoints.json` in the home folder
(written by `distributary up`: endpoints, and the contract on its chain), the default.
docs/reference.md lists them all, and a test fails when one is missing there.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from distributary.allowed import ADDRESS, LEVEL, NAME_PREFIX, URL, VALKEY_URL, Between, Form
from distributary.errors import InputError, UnavailableError
from distributary.identity import Domain

PREFIX = "DISTRIBUTARY_"
DAY_S = 24 * 60 * 60
# A topic takes records of four times `request_bytes_max`. An answer repeats the question and has
# a text of 64 KiB at most, which JSON writes in six times as many bytes: with this it always fits.
REQUEST_BYTES_LEAST = 147_456


def _cache_default() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "distributary"


def _setting(default: Any, doc: str, allowed: Between | Form | None = None, **kwargs: bool) -> Any:
    return field(default=default, metadata={"doc": doc, "allowed": allowed, **kwargs})


@dataclass(frozen=True)
class Settings:
    """All settings; frozen. Secrets are masked in the representation."""

    # - Places -
    home: Path = _setting(Path(".distributary"), "State of this installation: data, logs, keys.")
    cache: Path = field(
        default_factory=_cache_default,
        metadata={"doc": "Downloaded servers, shared by all installations of this user."},
    )
    lake: Path | None = _setting(None, "Folder of Parquet files and datanets; default `HOME/lake`.")

    # - Endpoints: given, or written by `distributary up` -
    kafka: str = _setting("", "Kafka bootstrap servers, `host:port[,host:port]`.", endpoint=True)
    triton: str = _setting(
        "", "Triton nodes (gRPC), `name=host:port[,name=host:port]`.", endpoint=True
    )
    triton_trusted: str = _setting(
        "", "Triton of ours that runs `attribute` (gRPC), `host:port`.", endpoint=True
    )
    postgres: str = _setting("", "Postgres connection URI.", endpoint=True, secret=True)
    valkey: str = _setting(
        "", "Valkey URL, `redis://host:port/0`.", VALKEY_URL, endpoint=True, secret=True
    )
    prism: str = _setting("", "Path of the Prism binary.", endpoint=True)
    chain: str = _setting(
        "", "EVM node (JSON-RPC), `http://host:port`.", URL, endpoint=True, secret=True
    )

    topic_prefix: str = _setting(
        "", "Put before topic and group names: several on one Kafka.", NAME_PREFIX
    )

    # - What is signed -
    chain_id: int = _setting(
        31337, "Chain that the signed domain names.", Between(1, 2**53 - 1), deployed=True
    )
    contract: str = _setting(
        "0x" + "0" * 40,
        "Contract that the signed domain names; zero: none.",
        ADDRESS,
        deployed=True,
    )
    contract_block: int = _setting(
        0,
        "Block that the contract was made in: the indexer begins there.",
        Between(0),
        deployed=True,
    )

    # - Limits -
    request_bytes_max: int = _setting(
        262_144,
        "Larger request records are dead letters: a 32 k token prompt fits four times.",
        Between(REQUEST_BYTES_LEAST, 16_777_216),
    )
    expiry_s_max: int = _setting(
        32 * DAY_S,
        "Longest `expires_at`: purchases must be kept that long to be charged once.",
        Between(60, 32 * DAY_S),
    )
    partitions: int = _setting(
        4,
        "Partitions of requests and answers at creation: fixed for a topic's life.",
        Between(1, 1_024),
    )
    retention_s: int = _setting(
        14 * DAY_S, "Retention of requests and answers in Kafka.", Between(3_600)
    )
    texts_retention_s: int = _setting(
        14 * DAY_S, "How long prompts and answers are kept in the lake.", Between(3_600)
    )

    # - inference job -
    batches_in_flight_max: int = _setting(
        8,
        "Triton batches in flight, over all lanes, before only full ones are sent.",
        Between(1, 1_024),
    )
    requests_in_flight_max: int = _setting(
        768,
        "Requests given to nodes and not published yet; a crash runs at most so many twice.",
        Between(1, 65_536),
    )
    window_max: int = _setting(
        2_048,
        "Records of one partition ahead of its low-water mark before reading pauses.",
        Between(1, 65_536),
    )
    deadline_ms_default: int = _setting(
        60_000,
        "Deadline of a request that states none, from when it is read to its answer.",
        Between(1, 300_000),
    )
    retry_s_max: int = _setting(
        30,
        "How long a request is retried when no node takes it: a restart of Triton fits.",
        Between(0, 300),
    )
    replay_s: int = _setting(
        DAY_S,
        "How long Valkey keeps an executed answer to replay; later repeats run again.",
        Between(1, 32 * DAY_S),
    )

    # - attribution job -
    bundle_s: float = _setting(
        2.0,
        "Longest span of one attribution bundle, so of one transaction: 2 to 5 s.",
        Between(0.01, 60.0),
    )

    # - settlement -
    settler_key: Path | None = _setting(
        None, "Settler's encrypted key file, mode 600; default `HOME/keys/settler.json`."
    )
    settler_password: Path | None = _setting(
        None, "File with its password, mode 600; default `HOME/keys/settler.password`."
    )
    settler_signer: str = _setting(
        "", "In place of a key file: a signer (`eth_signTransaction`), URL.", URL, secret=True
    )
    settler_address: str = _setting("", "The address that the signer signs for.", ADDRESS)
    confirmations: int = _setting(
        0, "Blocks on top that make a block final; 0: what the node calls finalized.", Between(0)
    )
    gas_ceiling_gwei: int = _setting(
        300, "Most per unit of gas for something new; never holds up a nonce in use.", Between(1)
    )
    gas_share_bp_max: int = _setting(
        200, "Most that a posting may cost, in basis points of what it settles.", Between(0, 10_000)
    )
    token_value_wei: int = _setting(
        0, "What 10^18 base units of the token are worth, wei; 0: gas is never weighed.", Between(0)
    )
    posting_age_s_max: int = _setting(
        DAY_S, "After so long a posting goes, whatever gas costs below the ceiling.", Between(0)
    )
    epoch_total_factor: int = _setting(
        10, "An epoch above so many times the median of the last is held for a person.", Between(1)
    )

    # - Watching -
    metrics_port_inference: int = _setting(
        9_464, "Prometheus port of the inference job; 0: any.", Between(0, 65_535)
    )
    metrics_port_attribution: int = _setting(
        9_465, "Prometheus port of the attribution job; 0: any.", Between(0, 65_535)
    )
    metrics_port_accounts: int = _setting(
        9_466, "Prometheus port of the publisher of accounts; 0: any.", Between(0, 65_535)
    )
    log_level: str = _setting("INFO", "Level of the structured logs on stderr.", LEVEL)

    @property
    def lake_path(self) -> Path:
        """The lake folder, resolved."""
        return (self.lake or self.home / "lake").resolve()

    @property
    def domain(self) -> Domain:
        """What requests must be signed for."""
        return Domain(self.chain_id, self.contract.lower())

    @property
    def has_contract(self) -> bool:
        """Whether deposits exist: a chain and a contract are configured."""
        return bool(self.chain) and int(self.contract, 16) != 0

    @property
    def endpoints_file(self) -> Path:
        """Where `distributary up` writes the endpoints of the local servers."""
        return self.home / "endpoints.json"

    def require(self, name: str) -> str:
        """Returns endpoint `name`.

        Raises:
            UnavailableError: it is neither given nor written by `distributary up`.
        """
        value = getattr(self, name)
        if not value:
            raise UnavailableError(
                f"No {name} endpoint: run `distributary up`, or set {PREFIX}{name.upper()}."
            )
        return str(value)

    def nodes(self) -> dict[str, str]:
        """The Triton nodes by name, `{name: host:port}`, in the order given.

        Raises:
            InputError: an entry is not `name=host:port`.
        """
        nodes: dict[str, str] = {}
        for entry in self.require("triton").split(","):
            name, separator, address = entry.strip().partition("=")
            if not (name and separator) or ":" not in address or name in nodes:
                raise InputError(
                    f"Write {PREFIX}TRITON as name=host:port[,name=host:port], each name once.",
                    value=entry,
                )
            nodes[name] = address
        return nodes

    def __repr__(self) -> str:
        shown = (
            f"{f.name}='***'" if f.metadata.get("secret") else f"{f.name}={getattr(self, f.name)!r}"
            for f in fields(self)
        )
        return f"Settings({', '.join(shown)})"


def _parse(name: str, default: Any, text: str) -> Any:
    if isinstance(default, Path) or name in ("lake", "settler_key", "settler_password"):
        return Path(text)
    try:
        return type(default)(text) if isinstance(default, int | float) else text
    except ValueError as error:
        kind = "a whole number" if isinstance(default, int) else "a number"
        raise InputError(f"{PREFIX}{name.upper()} must be {kind}.", value=text) from error


def _check(settings: Settings) -> Settings:
    """Returns the settings; an optional one that is not set has nothing to keep to."""
    for each in fields(settings):
        allowed, value = each.metadata.get("allowed"), getattr(settings, each.name)
        if allowed and value not in ("", None) and not allowed.allows(value):
            raise InputError(
                f"{PREFIX}{each.name.upper()} must be {allowed.words}.",
                value=None if each.metadata.get("secret") else value,
            )
    return settings


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Reads the settings from the environment and the endpoints file.

    Raises:
        InputError: a variable does not parse or is not allowed, or the endpoints file is damaged.
    """
    environ = os.environ if environ is None else environ
    defaults = Settings()
    given = {
        f.name: _parse(f.name, getattr(defaults, f.name), environ[PREFIX + f.name.upper()])
        for f in fields(Settings)
        if environ.get(PREFIX + f.name.upper())
    }
    endpoints_file = Settings(home=given.get("home", defaults.home)).endpoints_file
    if endpoints_file.exists():
        try:
            written = json.loads(endpoints_file.read_text())
        except ValueError as error:
            raise InputError(
                "The endpoints file is damaged: run `distributary down`, then `up`.",
                value=str(endpoints_file),
            ) from error
        names = {
            f.name
            for f in fields(Settings)
            if f.metadata.get("endpoint") or f.metadata.get("deployed")
        }
        given = {k: v for k, v in written.items() if k in names} | given
    return _check(Settings(**given))
