"""The named stops of settlement: each ends the run, is safe to run into again, and says why.

docs/settlement.md has a runbook for each; a test fails when one is missing there.
"""

from typing import Final

from distributary.errors import DistributaryError, ExitCode

STOPS: Final = {
    "activation_undone": "A re-org took back an active root, and it cannot be posted again.",
    "active_differs": "The active root on the chain is not the one that was posted.",
    "balance_too_low": "The settler's balance does not pay for the transaction.",
    "bond_too_low": "The settler's bond does not cover the next posting.",
    "call_refused": "The contract refuses the call, so it is not signed.",
    "chain_ahead": "The chain holds what the database does not know.",
    "epoch_held": "The gate holds the epoch for a person.",
    "fees_above_ceiling": "Gas costs more than the ceiling; nothing new is sent.",
    "foreign_pending": "The pool holds a transaction of the settler that is not ours.",
    "gate_failed": "The gate refuses the posting.",
    "inputs_altered": "Files of the posting are not those that its manifest names.",
    "key_missing": "The settler's key file or its password file is not there.",
    "key_readable": "Others can read the settler's key or password: `chmod 600` it.",
    "key_refused": "The settler's key file is damaged, or the password is wrong.",
    "ledger_differs": "Ledger and chain differ after the posting.",
    "indexer_behind": "The indexer has not read the chain far enough.",
    "indexer_differs": "The indexer's sums are not the contract's.",
    "nonce_free": "A foreign transaction before ours was taken back, and its nonce is free.",
    "not_settler": "The contract's settler is another address than the key's.",
    "posted_differs": "What the chain stored is not what was sent.",
    "rejected_pending": "A re-org brought back a root that was rejected.",
    "rewards_failed": "The reward models did not build.",
    "roots_differ": "The reference does not give the root that dbt gave.",
    "settler_busy": "Another settler is at work on this database.",
    "settler_superseded": "The row was moved by somebody else.",
    "signer_refused": "The signer did not sign what it was given.",
    "stale_node": "The node is behind what settlement has seen.",
    "transaction_reverted": "A transaction was mined, and the contract reverted it.",
    "transaction_stuck": "A transaction is not final after all that may be tried.",
}


class StopError(DistributaryError):
    """A named stop: nothing is lost, and running again goes on from here."""

    exit_code = ExitCode.UNAVAILABLE

    def __init__(self, code: str, detail: str = "", *, value: object = None) -> None:
        """Names the stop.

        Args:
            code: a key of `STOPS`.
            detail: a sentence on this case.
            value: what was found, never a secret.
        """
        sentence = f"{STOPS[code]} {detail}".strip()
        super().__init__(f"{sentence} See docs/settlement.md#{code}.", value=value, code=code)
