"""Random trees, amounts, orders and pauses against plain sums."""

import boa
from book import Book
from hypothesis import assume, example, given
from hypothesis import strategies as st
from world import ACTIVATION_DELAY_S, DISPUTE, GRACE_BLOCKS, World, address_of, now_s

PEOPLE = [address_of(f"person {number}") for number in range(12)]
CUSTOMER = address_of("customer")
CREDIT = 10**24
UNITS = st.integers(min_value=0, max_value=10**22)
EARNINGS = st.dictionaries(st.sampled_from(PEOPLE), UNITS, min_size=1)


def charged_book(earned: dict[str, int]) -> Book:
    return Book(earned, {CUSTOMER: sum(earned.values())})


@given(earned=EARNINGS)
def test_claims__of_a_random_tree__pay_every_leaf_exactly(
    world: World, earned: dict[str, int]
) -> None:
    world.fund(CUSTOMER, CREDIT)
    book = charged_book(earned)
    world.settle(book)
    world.contract.claimMany(book.root, [book.claim_of(payee) for payee in earned])
    assert {payee: world.token.balanceOf(payee) for payee in earned} == earned
    assert world.contract.claimedTotal() == sum(earned.values()) == world.contract.earnedTotal()


@given(earned=EARNINGS, byte=st.integers(0, 31), flip=st.integers(1, 255), data=st.data())
def test_claim__with_any_byte_of_its_proof_changed__reverts(
    world: World, earned: dict[str, int], byte: int, flip: int, data: st.DataObject
) -> None:
    world.fund(CUSTOMER, CREDIT)
    book = charged_book(earned)
    world.settle(book)
    payee = data.draw(st.sampled_from(sorted(earned)))
    assume(earned[payee] > 0)
    who, units, proof = book.claim_of(payee)
    place = data.draw(st.integers(0, len(proof) - 1))
    node = bytearray(proof[place])
    node[byte] ^= flip
    proof[place] = bytes(node)
    with boa.reverts("bad proof"):
        world.contract.claim(book.root, who, units, proof)


@given(
    raises=st.lists(EARNINGS, min_size=1, max_size=4),
    order=st.randoms(use_true_random=False),
)
def test_claims__by_any_active_roots_in_any_order__pay_the_largest_cumulative_once(
    world: World, raises: list[dict[str, int]], order: object
) -> None:
    world.fund(CUSTOMER, CREDIT)
    books, earned = [], dict[str, int]()
    for rise in raises:
        earned = {who: earned.get(who, 0) + rise.get(who, 0) for who in earned | rise}
        books.append(charged_book(earned))
        world.settle(books[-1])
    claims = [(book, payee) for book in books for payee in book.earned]
    order.shuffle(claims)  # type: ignore[attr-defined]
    for book, payee in claims:
        due = book.earned[payee] > world.contract.claimed(payee)
        if due:
            world.contract.claim(book.root, *book.claim_of(payee))
        else:
            with boa.reverts("nothing to claim"):
                world.contract.claim(book.root, *book.claim_of(payee))
        assert world.contract.claimedTotal() <= world.contract.earnedTotal()
    assert {payee: world.token.balanceOf(payee) for payee in earned} == earned


@given(earned=EARNINGS, data=st.data())
def test_claim_many__of_good_and_bad_claims__equals_single_claims(
    world: World, earned: dict[str, int], data: st.DataObject
) -> None:
    world.fund(CUSTOMER, CREDIT)
    book = charged_book(earned)
    world.settle(book)
    chosen = data.draw(st.lists(st.sampled_from(sorted(earned)), max_size=8))
    spoilt = data.draw(st.lists(st.booleans(), min_size=len(chosen), max_size=len(chosen)))
    claims = []
    for payee, bad in zip(chosen, spoilt, strict=True):
        who, units, proof = book.claim_of(payee)
        claims.append((who, units + bad, proof))
    with boa.env.anchor():
        single = 0
        for claim in claims:
            try:
                single += world.contract.claim(book.root, *claim)
            except boa.BoaError:
                continue
    assert world.contract.claimMany(book.root, claims) == single
    assert len(world.logs("Claimed")) + len(world.logs("ClaimSkipped")) == len(claims)


@given(deposits=st.lists(st.integers(1, 10**30), min_size=1, max_size=5), data=st.data())
def test_withdraw__after_any_deposits_and_charges__pays_the_difference_once(
    world: World, deposits: list[int], data: st.DataObject
) -> None:
    for units in deposits:
        world.fund(CUSTOMER, units)
    charged = data.draw(st.integers(0, sum(deposits) - 1))
    world.contract.freeze(sender=CUSTOMER)
    boa.env.time_travel(blocks=GRACE_BLOCKS)
    book = Book({PEOPLE[0]: charged // 2}, {CUSTOMER: charged})
    world.settle(book)
    world.contract.withdraw(book.root, *book.charge_of(CUSTOMER), sender=CUSTOMER)
    assert world.token.balanceOf(CUSTOMER) == sum(deposits) - charged
    assert world.contract.creditTotal() == charged


@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["wait", "pause", "unpause"]), st.integers(0, 10**6)),
        max_size=12,
    )
)
@example(steps=[("pause", 0), ("wait", 2 * 14 * 86_400), ("pause", 0), ("wait", 5)])
def test_clock__over_any_pauses__counts_the_seconds_in_which_disputes_were_open(
    world: World, steps: list[tuple[str, int]]
) -> None:
    world.fund(CUSTOMER, 10)
    boa.env.time_travel(blocks=1)
    world.commit()
    world.post(Book({}, {CUSTOMER: 0}))
    counted, paused_until = 0, 0
    for step, seconds in steps:
        if step == "pause":
            world.contract.pause(DISPUTE, sender=world.owner)
            paused_until = now_s() + world.contract.failSafeS()
        elif step == "unpause":
            world.contract.unpause(DISPUTE, sender=world.owner)
            paused_until = 0
        elif seconds:
            counted += max(0, now_s() + seconds - max(now_s(), paused_until))
            boa.env.time_travel(seconds=seconds)
    open_now = now_s() >= paused_until
    if open_now and counted >= ACTIVATION_DELAY_S:
        world.contract.activateRoot()
        return
    with boa.reverts():
        world.contract.activateRoot()
    assert world.contract.pending().activeAt == now_s() + ACTIVATION_DELAY_S - counted
