"""Admission: from a verified request to what a node may run, or the refusal that says why not."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from distributary.accounts import AccountState
from distributary.amounts import parse_units
from distributary.answers import Answer, Refusal
from distributary.bodies import Body, read_body
from distributary.datanets.retrieval import Retrieved, Retriever
from distributary.errors import DistributaryError, InputError
from distributary.inference.records import Admitted, Verified
from distributary.models import MODELS, ModelSpec
from distributary.prompts import PASSAGES_SHOWN_MAX, assemble
from distributary.rules import Catalogue, Price
from distributary.settings import Settings
from distributary.tokens import ByteCounter, TokenCounter

log = logging.getLogger(__name__)


class RefusedError(Exception):
    """The request is refused; carries the code and the sentence for the answer."""

    def __init__(self, code: Refusal | str, sentence: str) -> None:
        super().__init__(sentence)
        self.code, self.sentence = code, sentence


def check_expiry(expires_at: object, admitted_at_ms: int, expiry_s_max: int) -> None:
    """Checks `expires_at` (Unix seconds) against the admission instant.

    Raises:
        RefusedError: not a whole number, expired, or further away than purchases are kept.
    """
    if type(expires_at) is not int or expires_at < 0:
        raise RefusedError(Refusal.BAD_REQUEST, "`expires_at` must be Unix seconds.")
    admitted_at_s = admitted_at_ms // 1000
    if expires_at <= admitted_at_s:
        raise RefusedError(Refusal.EXPIRED, "The request had expired when it was admitted.")
    if expires_at > admitted_at_s + expiry_s_max:
        raise RefusedError(
            Refusal.EXPIRES_TOO_LATE, f"`expires_at` may be {expiry_s_max} s away at most."
        )


@dataclass(frozen=True)
class Admission:
    """Admits requests by the rules in force at their admission instant.

    Attributes:
        settings: limits.
        prices: catalogue of prices.
        splits: catalogue of splits.
        retriever: finds passages; trusted, no SQL.
        counters: count tokens, by tokenizer; trusted.
    """

    settings: Settings
    prices: Catalogue
    splits: Catalogue
    retriever: Retriever
    counters: Mapping[str, TokenCounter | ByteCounter]

    def admit(
        self, verified: Verified, account: AccountState, now: float, age_s: float
    ) -> Admitted | Answer:
        """Admits a request, or says why not.

        Args:
            verified: the request.
            account: its account, as known now.
            now: seconds on the engine's monotonic clock.
            age_s: seconds since the admission instant. A stated deadline counts from there; the
                default one bounds the serving only, so that a backlog is still answered.
        """
        try:
            return self._admit(verified, account, now, age_s)
        except RefusedError as refused:
            return verified.refuse(refused.code, refused.sentence)
        except InputError as error:
            return verified.refuse(error.code, str(error))

    def _admit(
        self, verified: Verified, account: AccountState, now: float, age_s: float
    ) -> Admitted:
        purchase, at_ms = verified.request.purchase, verified.record.admitted_at_ms
        if account.frozen:
            raise RefusedError(Refusal.ACCOUNT_FROZEN, "The account is frozen.")
        maximum_units = parse_units(purchase.max_charge_units)
        if maximum_units is None:
            sentence = "`max_charge_units` must be the decimal digits of a uint256."
            raise RefusedError(Refusal.BAD_REQUEST, sentence)
        check_expiry(purchase.expires_at, at_ms, self.settings.expiry_s_max)
        body = read_body(verified.request.body)
        spec = _served(body)
        price, price_hash, split_hash = self._in_force(spec.name, at_ms)
        retrieved = self._retrieve(body)
        counter = self.counters[spec.tokenizer]
        passages = retrieved.passages if retrieved else ()
        assembled = assemble(spec, body.messages, passages, counter, body.max_tokens)
        worst_units = price.charge_units(assembled.prompt_tokens, body.max_tokens)
        _check_funds(worst_units, maximum_units, account.credit_units)
        return Admitted(
            verified=verified,
            body=body,
            spec=spec,
            price=price,
            price_hash=price_hash,
            split_hash=split_hash,
            prompt=assembled.prompt,
            prompt_tokens=assembled.prompt_tokens,
            passages=tuple(passage.document for passage in assembled.shown),
            manifest_hash=retrieved.manifest_hash if retrieved else None,
            due_at=now + self._serving_s(body, age_s),
        )

    def _in_force(self, model: str, at_ms: int) -> tuple[Price, str, str]:
        prices, split = self.prices.in_force(at_ms), self.splits.in_force(at_ms)
        if prices is None or split is None or model not in prices.content:
            raise RefusedError(Refusal.NOT_PRICED, "The model had no price at admission.")
        return prices.content[model], prices.hash, split.hash

    def _serving_s(self, body: Body, age_s: float) -> float:
        if body.deadline_ms is None:
            return self.settings.deadline_ms_default / 1000
        return body.deadline_ms / 1000 - age_s

    def _retrieve(self, body: Body) -> Retrieved | None:
        if body.datanet is None:
            return None
        try:
            return self.retriever.retrieve(body.datanet, body.question, PASSAGES_SHOWN_MAX)
        except Exception as error:
            # Whatever is wrong with one datanet, it is no reason to stop a partition.
            if isinstance(error, DistributaryError) and error.code == Refusal.UNKNOWN_DATANET:
                raise
            cause = {"datanet": body.datanet, "error": f"{type(error).__name__}: {error}"}
            told = isinstance(error, DistributaryError | OSError)
            log.error({"msg": "datanet unreadable", **cause}, exc_info=not told)
            sentence = "The datanet cannot be read now; ask again later."
            raise RefusedError(Refusal.DATANET_UNREADABLE, sentence) from error


def _served(body: Body) -> ModelSpec:
    spec = MODELS.get(body.model)
    if spec is None:
        raise RefusedError(
            Refusal.UNKNOWN_MODEL, f"No such model; there are {', '.join(sorted(MODELS))}."
        )
    if body.adapter is not None:
        raise RefusedError(Refusal.UNKNOWN_ADAPTER, f"{spec.name} has no such adapter.")
    if body.max_tokens > spec.answer_tokens_max:
        raise RefusedError(
            Refusal.BAD_REQUEST, f"{spec.name} answers {spec.answer_tokens_max} tokens at most."
        )
    return spec


def _check_funds(worst_units: int, maximum_units: int, credit_units: int) -> None:
    if worst_units > maximum_units:
        raise RefusedError(
            Refusal.ABOVE_MAXIMUM,
            f"The answer may cost {worst_units} units, above the maximum of {maximum_units}.",
        )
    if worst_units > credit_units:
        raise RefusedError(
            Refusal.INSUFFICIENT_CREDIT,
            f"The answer may cost {worst_units} units; the account has {credit_units}.",
        )
