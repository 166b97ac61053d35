"""Anything, in any order: I3 and I5 hold, and the contract refuses exactly what the model does."""

from typing import Any

import boa
from adversary import Adversary
from book import Book
from disputing import DISPUTER, RELAY, Disputes
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from ledger import Bonds, History, Ledger, Posted, honest_book
from world import (
    ACTIVATION_DELAY_S,
    ARBITER_DEADLINE_S,
    BOND,
    CLAIM,
    DEPOSIT,
    DISPUTE,
    FAIL_SAFE_S,
    GRACE_BLOCKS,
    NO_ROOT,
    POST,
    WITHDRAW,
    address_of,
    block,
    deployed,
    now_s,
)

ACCOUNTS = [address_of(f"account {number}") for number in range(8)]
PAYEES = [address_of(f"payee {number}") for number in range(3)]
# One strategy over weighted names: hypothesis would switch most of many rules off in each run.
ACTIONS = (
    ("settle", "claim", "freeze_and_withdraw") * 3
    + ("escape", "replace_root") * 2
    + ("deposit", "deposit", "claim_many", "fail_safe", "post", "activate", "dispute", "wait") * 2
    + ("commit", "freeze", "withdraw", "withdraw_by_an_older_root", "post_above_a_cap")
    + ("resolve", "expire", "hold", "pause", "unpause", "wait_long")
)


class Machine(Disputes, Adversary, RuleBasedStateMachine):
    """A settler who is honest or not, people who do what they like, and a clock that jumps."""

    def __init__(self) -> None:
        super().__init__()
        self.world = deployed()
        self.world.bond(DISPUTER, 500 * BOND)
        self.ledger = Ledger()
        self.history = History()
        self.cuts: dict[int, int] = {}
        self.active: list[Posted] = []
        self.pending: Posted | None = None
        self.attempt = 0
        self.claimed = dict.fromkeys(PAYEES, 0)
        self.fresh_at, self.fresh_block, self.pinned_min = now_s(), 0, 0
        self.bonds = Bonds({self.world.settler: 1_000 * BOND, DISPUTER: 500 * BOND})

    @initialize(data=st.data())
    def start_in_the_middle(self, data: st.DataObject) -> None:
        """Six funded accounts and a first active root."""
        for account in ACCOUNTS[:6]:
            self.world.fund(account, 10**20)
            self.ledger.deposit(account, 10**20)
        self.history.keep(block(), self.ledger)
        self.settle(data)
        boa.env.time_travel(seconds=ACTIVATION_DELAY_S)
        self.activate(data)

    @rule(action=st.sampled_from(ACTIONS), data=st.data())
    def act(self, action: str, data: st.DataObject) -> None:
        getattr(self, action)(data)

    # -- what people do

    def deposit(self, data: st.DataObject) -> None:
        account, payer = (data.draw(st.sampled_from(ACCOUNTS)) for _ in range(2))
        units = data.draw(st.integers(1, 10**20))
        self.world.hand(payer, units)
        refused = account in self.ledger.frozen or self.paused(DEPOSIT)
        if self.tried(refused, "depositFor", account, units, sender=payer):
            self.ledger.deposit(account, units)
            self.history.keep(block(), self.ledger)

    def freeze(self, data: st.DataObject) -> None:
        account = data.draw(st.sampled_from(ACCOUNTS))
        refused = account in self.ledger.frozen or account not in self.ledger.deposited
        if self.tried(refused, "freeze", sender=account):
            self.ledger.frozen[account] = block()
            self.history.keep(block(), self.ledger)

    def withdraw(self, data: st.DataObject) -> None:
        self.withdraw_of(data.draw(st.sampled_from(sorted(self.ledger.frozen) or ACCOUNTS)))

    def withdraw_of(self, account: str) -> None:
        book, last = self.active[-1].book, self.active[-1].last
        if account not in book.charged:
            return
        frozen = self.ledger.frozen.get(account)
        early = frozen is None or self.cuts[last] < frozen + GRACE_BLOCKS
        left = self.ledger.left(account, book.charged[account])
        refused = early or left <= 0 or self.paused(WITHDRAW)
        if self.tried(refused, "withdraw", book.root, *book.charge_of(account), sender=account):
            self.ledger.withdraw_all(account, book.charged[account])
            dropped = self.drop_if_broken()
            # An ordinary withdrawal never breaks what an honest settler has pending.
            assert dropped is None or dropped.is_false
            self.history.keep(block(), self.ledger)

    def freeze_and_withdraw(self, data: st.DataObject) -> None:
        self.deposit(data)
        self.freeze(data)
        boa.env.time_travel(blocks=GRACE_BLOCKS)
        self.settle(data)
        self.settle(data)
        self.withdraw(data)

    def fail_safe(self, data: st.DataObject) -> None:
        account = data.draw(st.sampled_from(ACCOUNTS))
        held_until = self.world.contract.failSafeHeldUntil()
        shut = now_s() < max(self.fresh_at + FAIL_SAFE_S, held_until)
        book = self.active[-1].book
        charged, proof = book.charge_of(account) if account in book.charged else (0, [])
        refused = shut or self.ledger.left(account, charged) <= 0
        if self.tried(refused, "failSafeWithdraw", charged, proof, sender=account):
            self.ledger.frozen.setdefault(account, block())
            self.ledger.withdraw_all(account, charged)
            self.pinned_min = block()
            self.drop_if_broken()
            self.history.keep(block(), self.ledger)

    def withdraw_by_an_older_root(self, data: st.DataObject) -> None:
        book = data.draw(st.sampled_from(self.active)).book
        account = data.draw(st.sampled_from(sorted(book.charged)))
        if book.root != self.active[-1].book.root:
            self.tried(True, "withdraw", book.root, *book.charge_of(account), sender=account)

    def claim(self, data: st.DataObject) -> None:
        book = data.draw(st.sampled_from(self.active)).book
        payee = data.draw(st.sampled_from(PAYEES))
        due = book.earned[payee] - self.claimed[payee]
        refused = due <= 0 or self.paused(CLAIM)
        if self.tried(refused, "claim", book.root, *book.claim_of(payee), sender=RELAY):
            self.claimed[payee] += due

    def claim_many(self, data: st.DataObject) -> None:
        book = data.draw(st.sampled_from(self.active)).book
        claims = [book.claim_of(payee) for payee in PAYEES]
        if self.tried(self.paused(CLAIM), "claimMany", book.root, claims, sender=RELAY):
            self.claimed = {who: max(self.claimed[who], book.earned[who]) for who in PAYEES}

    # -- what settler, arbiter and owner do

    def settle(self, data: st.DataObject) -> None:
        """Commits and posts; what was pending becomes active first, if it can."""
        boa.env.time_travel(seconds=ACTIVATION_DELAY_S)
        self.activate(data)
        self.commit(data)
        self.post(data)

    def commit(self, data: st.DataObject) -> None:
        epoch, cut = len(self.cuts), block() - 1
        arguments = (epoch, b"\x01" * 32, cut)
        if self.tried(self.paused(POST), "commitEpoch", *arguments, sender=self.world.settler):
            self.cuts[epoch] = cut

    def post(self, data: st.DataObject) -> None:
        first = self.active[-1].last + 1 if self.active else 0
        last = len(self.cuts) - 1
        if last < first:
            return
        contract = self.world.contract
        least = max(self.cuts[last], contract.minPinnedBlock())
        if least >= block():
            boa.env.time_travel(blocks=1)
        pinned = data.draw(st.integers(least, block() - 1), label="pinned")
        before = self.active[-1].book if self.active else Book(dict.fromkeys(PAYEES, 0))
        known, cut_before = self.history.at(pinned), self.cuts.get(first - 1)
        book = honest_book(before, known, cut_before, lambda s: data.draw(st.sampled_from(s)))
        arguments = self.world.posting(book, attempt=self.attempt + 1, pinned=pinned)
        poor = contract.bonds(self.world.settler) < contract.bondNow()
        refused = self.pending is not None or self.paused(POST) or poor
        if self.tried(refused, "postRoot", *arguments, sender=self.world.settler):
            parent = self.active[-1].book.root if self.active else NO_ROOT
            self.pending = Posted(book, parent, first, last, pinned)
            self.attempt += 1

    def post_above_a_cap(self, data: st.DataObject) -> None:
        earned, charged = (data.draw(st.integers(0, 2 * self.ledger.credit + 1)) for _ in range(2))
        if charged <= self.ledger.credit:
            earned = charged + 1
        book = Book(dict.fromkeys(PAYEES, 0), {ACCOUNTS[0]: 0})
        arguments = self.world.posting(book, attempt=99, earned=earned, charged=charged)
        self.tried(True, "postRoot", *arguments, sender=self.world.settler)

    def activate(self, data: st.DataObject) -> None:
        due = self.world.contract.pending().activeAt
        waiting = self.pending is None or self.bonds.is_open or now_s() < due
        if self.tried(waiting or self.paused(DISPUTE), "activateRoot", sender=RELAY):
            assert self.pending is not None
            self.active.append(self.pending)
            self.pinned_min = max(self.pinned_min, self.pending.pinned)
            if self.cuts[self.pending.last] >= self.fresh_block:
                self.fresh_at, self.fresh_block = now_s(), block()
            self.pending, self.attempt, self.bonds.drops = None, 0, 0

    def hold(self, data: st.DataObject) -> None:
        held_until = self.world.contract.failSafeHeldUntil()
        again = held_until != 0 and now_s() < held_until + FAIL_SAFE_S
        refused = now_s() < self.fresh_at + FAIL_SAFE_S or again
        self.tried(refused, "holdFailSafe", sender=self.world.settler)

    def pause(self, data: st.DataObject) -> None:
        flag = data.draw(st.sampled_from([DEPOSIT, POST, DISPUTE, CLAIM, WITHDRAW]))
        self.world.contract.pause(flag, sender=self.world.owner)

    def unpause(self, data: st.DataObject) -> None:
        self.world.contract.unpause(31, sender=self.world.owner)

    def wait(self, data: st.DataObject) -> None:
        steps = [12, 150, ACTIVATION_DELAY_S, ARBITER_DEADLINE_S]
        boa.env.time_travel(seconds=data.draw(st.sampled_from(steps)))

    def wait_long(self, data: st.DataObject) -> None:
        """The settler is gone; people come for their money."""
        boa.env.time_travel(seconds=FAIL_SAFE_S)
        self.fail_safe(data)

    # -- what the model knows

    def tried(self, refused: bool, function: str, *arguments: Any, sender: str) -> bool:
        """Calls; the contract refuses exactly when the model does."""
        if refused:
            assert self.world.refuses(function, *arguments, sender=sender), function
            return False
        getattr(self.world.contract, function)(*arguments, sender=sender)
        return True

    def paused(self, flag: int) -> bool:
        return bool(self.world.contract.pausedUntil(flag) > now_s())

    # -- what must hold after every step

    @invariant()
    def money_is_conserved(self) -> None:
        contract, ledger = self.world.contract, self.ledger
        claimed = sum(self.claimed.values())
        earned, charged = contract.earnedTotal(), contract.chargedTotal()
        assert contract.claimedTotal() == claimed <= earned <= charged <= ledger.credit
        assert contract.creditTotal() == ledger.credit
        held = self.world.token.balanceOf(contract)
        assert held == ledger.credit - claimed + contract.bondsHeld()
        book = self.active[-1].book if self.active else Book()
        for account in ACCOUNTS:
            assert ledger.left(account, book.charged.get(account, 0)) >= 0

    @invariant()
    def no_false_root_is_active(self) -> None:
        """Each is disputed within its delay, and the arbiter sees that it is false."""
        assert not any(posted.is_false for posted in self.active)

    @invariant()
    def postings_form_one_chain(self) -> None:
        contract, pending = self.world.contract, self.world.contract.pending()
        assert contract.activeRoot() == (self.active[-1].book.root if self.active else NO_ROOT)
        for before, after in zip(self.active, self.active[1:], strict=False):
            assert (after.parent, after.first) == (before.book.root, before.last + 1)
        assert pending.root == (self.pending.book.root if self.pending else NO_ROOT)
        if self.pending:
            is_open = self.bonds.is_open
            assert is_open or not self.pending.is_broken(contract.creditTotal(), self.pinned_min)
            assert (pending.fromEpoch, pending.toEpoch) == (self.pending.first, self.pending.last)


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=12, stateful_step_count=30, phases=[Phase.generate])
