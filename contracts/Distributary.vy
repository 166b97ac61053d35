# pragma version ~=0.4.3
# pragma evm-version cancun
# pragma optimize gas
# SPDX-License-Identifier: Apache-2.0
"""
@title Distributary
@license Apache-2.0
@notice Holds what customers deposit, and pays what Merkle roots say that payees earned.
@dev One ERC-20 token without fees, rebasing or hooks. All amounts are its base units.
     A leaf is keccak256(keccak256(abi.encode(uint8 kind, address, uint256 cumulative)));
     kind 0 is what a payee earned, kind 1 what an account was charged. The tree is
     OpenZeppelin's `standard-v1`. Three inequalities bound every root, whoever made it:
     claimed <= earned <= charged <= deposits - withdrawals.
     What each role can do, and what it cannot, is in contracts/README.md.
"""

from ethereum.ercs import IERC20

# ---------------------------------------------------------------- types

struct EpochCommit:
    answersHash: bytes32
    cutBlock: uint64

struct Claim:
    payee: address
    cumulative: uint256
    proof: DynArray[bytes32, PROOF_MAX]

struct Posting:
    root: bytes32
    fromEpoch: uint64
    toEpoch: uint64
    attempt: uint32
    parentRoot: bytes32
    earnedTotal: uint256
    chargedTotal: uint256
    pinnedBlock: uint64
    activeAt: uint256
    disputer: address
    ruled: bool

struct RoleProposal:
    holder: address
    effectiveAt: uint256

# ---------------------------------------------------------------- events

event Deposited:
    account: indexed(address)
    payer: indexed(address)
    amount: uint256
    total: uint256

event EpochCommitted:
    epoch: indexed(uint64)
    answersHash: bytes32
    cutBlock: uint64

event RootPosted:
    root: indexed(bytes32)
    fromEpoch: uint64
    toEpoch: uint64
    attempt: uint32
    parentRoot: bytes32
    earnedTotal: uint256
    chargedTotal: uint256
    pinnedBlock: uint64
    settlementHash: bytes32
    activeAt: uint256

event RootActivated:
    root: indexed(bytes32)
    toEpoch: uint64

event RootDisputed:
    root: indexed(bytes32)
    disputer: indexed(address)
    bond: uint256
    decideBy: uint256

event DisputeResolved:
    root: indexed(bytes32)
    upheld: bool
    winner: indexed(address)
    loser: indexed(address)
    won: uint256
    sunk: uint256

event RootDropped:
    root: indexed(bytes32)
    fromEpoch: uint64
    toEpoch: uint64
    attempt: uint32

event Claimed:
    payee: indexed(address)
    recipient: indexed(address)
    amount: uint256
    cumulative: uint256

event ClaimSkipped:
    payee: indexed(address)
    reason: String[20]

event RecipientSet:
    payee: indexed(address)
    recipient: address

event Frozen:
    account: indexed(address)
    blockNumber: uint256

event Withdrawn:
    account: indexed(address)
    recipient: address
    amount: uint256
    total: uint256

event FailSafeWithdrawn:
    account: indexed(address)
    amount: uint256
    total: uint256

event FailSafeHeld:
    until: uint256

event OwnerBound:
    ownerHash: indexed(bytes32)
    payee: indexed(address)
    label: String[LABEL_MAX]

event BondDeposited:
    holder: indexed(address)
    amount: uint256

event BondWithdrawn:
    holder: indexed(address)
    amount: uint256

event Paused:
    flags: uint256
    until: uint256

event Unpaused:
    flags: uint256

event RoleProposed:
    role: indexed(uint256)
    holder: indexed(address)
    effectiveAt: uint256

event RoleAccepted:
    role: indexed(uint256)
    holder: indexed(address)

# ---------------------------------------------------------------- constants

PROOF_MAX: constant(uint256) = 32
CLAIMS_MAX: constant(uint256) = 64
LABEL_MAX: constant(uint256) = 256
DOUBLINGS_MAX: constant(uint256) = 16
# An attempt is at most so far above the last one: nobody can use up the numbers of an epoch.
ATTEMPT_STEP_MAX: constant(uint256) = 10_000
SINK: constant(address) = 0x000000000000000000000000000000000000dEaD

EARNED: constant(uint8) = 0
CHARGED: constant(uint8) = 1

FLOAT_BITS: constant(uint256) = 192
FLOAT_MAX: constant(uint256) = 2**192 - 1

PAUSE_DEPOSIT: public(constant(uint256)) = 1
PAUSE_POST: public(constant(uint256)) = 2
PAUSE_DISPUTE: public(constant(uint256)) = 4
PAUSE_CLAIM: public(constant(uint256)) = 8
PAUSE_WITHDRAW: public(constant(uint256)) = 16
PAUSE_ALL: constant(uint256) = 31

ROLE_OWNER: public(constant(uint256)) = 0
ROLE_SETTLER: public(constant(uint256)) = 1
ROLE_ARBITER: public(constant(uint256)) = 2

token: public(immutable(address))
activationDelayS: public(immutable(uint256))
arbiterDeadlineS: public(immutable(uint256))
graceBlocks: public(immutable(uint256))
failSafeS: public(immutable(uint256))
bondUnits: public(immutable(uint256))
timelockS: public(immutable(uint256))

# ---------------------------------------------------------------- state

# Money of accounts and payees. Bonds are apart.
deposited: public(HashMap[address, uint256])
withdrawn: public(HashMap[address, uint256])
# Twice what was claimed, plus 1 where the payee has a recipient of his own: a claim reads the
# recipient only then.
claimed_word: HashMap[address, uint256]
own_recipient: HashMap[address, address]
frozenAt: public(HashMap[address, uint256])
firstDepositBlock: public(HashMap[address, uint256])
# Deposits less withdrawals, over all accounts.
creditTotal: public(uint256)

# Epochs: the next one to commit, the next one to post.
commits: HashMap[uint64, EpochCommit]
next_commit: uint64
next_epoch: uint64
started: bool

# The active root. A root that was ever active stays good for claims: its word holds when it
# became active (upper 64 bits) and its float (lower 192). What is earned and not yet claimed
# is the active root's float plus the reserve, and other roots have no float. So most claims
# find root, cap and pause in one slot; a pause of claims empties the float into the reserve.
activeRoot: public(bytes32)
root_words: HashMap[bytes32, uint256]
reserve: uint256
active_earned: uint256
active_charged: uint256
active_pinned: uint64
minPinnedBlock: public(uint64)

# The pending root stands while `pending_end` is past `next_epoch`. Its slots are never cleared:
# overwriting one costs a quarter of filling an empty one.
pending_root: bytes32
pending_end: uint64
pending_key: uint256  # from epoch and attempt
pending_earned: uint256
pending_charged: uint256
pending_pinned: uint64
pending_due: uint256  # on the dispute clock

# The dispute of the pending root, and bonds.
disputer: address
dispute_due: uint256  # on the dispute clock
ruled: bool
# Who posted a disputed root and lost his role since; his bond stands for it until it is decided.
former_settler: address
disputedDrops: public(uint256)
bonds: public(HashMap[address, uint256])
bondsHeld: public(uint256)

# The fail-safe counts from the last root whose answers were cut after the one before it that
# counted; a hold shuts it.
fresh_at: uint256
fresh_block: uint256
failSafeHeldUntil: public(uint256)

payeeOf: public(HashMap[bytes32, address])

# Pauses lapse; the dispute clock leaves out the time in which disputes were paused.
pausedUntil: public(HashMap[uint256, uint256])
disputes_paused_at: uint256
clock_lost_s: uint256

holders: HashMap[uint256, address]
proposals: HashMap[uint256, RoleProposal]


@deploy
def __init__(
    token_: address,
    settler_: address,
    arbiter_: address,
    activation_delay_s: uint256,
    arbiter_deadline_s: uint256,
    grace_blocks: uint256,
    fail_safe_s: uint256,
    bond_units: uint256,
    timelock_s: uint256,
):
    """
    @notice Makes the deployer the owner and fixes everything that nobody can change later.
    @custom:requirements The token is a contract; no role is the zero address; settler and
            arbiter differ; the fail-safe waits at least four times as long as a disputed root
            needs: an honest settler, of whose roots every second one has a fresh cut, is
            never overtaken by it.
    @param token_ The ERC-20 token that is deposited and paid
    @param settler_ Who commits epochs, posts roots and binds owners
    @param arbiter_ Who decides disputes
    @param activation_delay_s Seconds for which a posted root can be disputed
    @param arbiter_deadline_s Seconds that the arbiter has for a decision
    @param grace_blocks Blocks from a freeze to the cut of the last epoch that may charge
    @param fail_safe_s Seconds without an active root of a fresh cut after which the fail-safe
           opens; also the longest pause
    @param bond_units First bond of settler and disputer
    @param timelock_s Seconds from proposing a role's new holder to his taking it
    """
    assert token_.is_contract, "token is no contract"
    assert settler_ != empty(address) and arbiter_ != empty(address), "role is zero"
    assert settler_ != arbiter_, "settler is arbiter"
    assert bond_units != 0, "bond is zero"
    assert fail_safe_s >= 4 * (activation_delay_s + arbiter_deadline_s), "fail-safe too early"
    token = token_
    activationDelayS = activation_delay_s
    arbiterDeadlineS = arbiter_deadline_s
    graceBlocks = grace_blocks
    failSafeS = fail_safe_s
    bondUnits = bond_units
    timelockS = timelock_s
    self.holders[ROLE_OWNER] = msg.sender
    self.holders[ROLE_SETTLER] = settler_
    self.holders[ROLE_ARBITER] = arbiter_
    self.fresh_at = block.timestamp
    for role: uint256 in range(3):
        log RoleAccepted(role=role, holder=self.holders[role])


# ---------------------------------------------------------------- deposits

@external
@nonreentrant
def deposit(amount: uint256):
    """
    @notice Deposits tokens for the caller's own account.
    @custom:effects As `depositFor` with the caller as account.
    @custom:requirements As `depositFor`.
    @param amount Units to take from the caller, who approved them
    """
    self._deposit(msg.sender, amount)


@external
@nonreentrant
def depositFor(account: address, amount: uint256):
    """
    @notice Deposits tokens of the caller for another's account. They are the account's then.
    @custom:effects Takes `amount` from the caller; credits what arrived; emits `Deposited`.
    @custom:requirements Deposits are not paused; the account is not zero and not frozen;
            something arrived.
    @param account Who may spend them on requests, or withdraw them
    @param amount Units to take from the caller, who approved them
    """
    self._deposit(account, amount)


@external
def freeze():
    """
    @notice Freezes the caller's account for good: the first step of a withdrawal.
    @dev Its requests are refused from now on. Epochs that are cut up to `graceBlocks` later
         can still charge it. It cannot be undone; another address makes another account.
    @custom:effects Stores the block; emits `Frozen`.
    @custom:requirements Something was deposited for the account; it is not frozen.
    """
    assert self.deposited[msg.sender] != 0, "nothing deposited"
    assert self.frozenAt[msg.sender] == 0, "already frozen"
    self._freeze(msg.sender)


@external
@nonreentrant
def withdraw(root: bytes32, charged: uint256, proof: DynArray[bytes32, PROOF_MAX]):
    """
    @notice Withdraws all that the caller's frozen account has not been charged.
    @dev Only under the latest active root: an older one would leave out charges.
    @custom:effects Pays the account's recipient; drops a pending, undisputed root that could
            no longer become active; emits `Withdrawn`.
    @custom:requirements Withdrawals are not paused; the account is frozen; the active root's
            last epoch was cut `graceBlocks` or more after the freeze; the leaf
            (1, caller, charged) is in it; something is left; the caps hold afterwards.
    @param root The active root
    @param charged The account's cumulative charges in it
    @param proof Of the leaf (1, caller, charged)
    """
    assert not self._paused(PAUSE_WITHDRAW), "withdrawals are paused"
    assert root != empty(bytes32) and root == self.activeRoot, "not the active root"
    frozen_at: uint256 = self.frozenAt[msg.sender]
    assert frozen_at != 0, "not frozen"
    cut_block: uint64 = self.commits[self.next_epoch - 1].cutBlock
    assert convert(cut_block, uint256) >= frozen_at + graceBlocks, "grace not over"
    assert self._proves(CHARGED, msg.sender, charged, root, proof), "bad proof"
    amount: uint256 = self._debit(msg.sender, charged)
    receiver: address = self._recipientOf(msg.sender)
    log Withdrawn(
        account=msg.sender, recipient=receiver, amount=amount, total=self.withdrawn[msg.sender]
    )
    assert self._pay(receiver, amount), "transfer failed"


@external
@nonreentrant
def failSafeWithdraw(charged: uint256, proof: DynArray[bytes32, PROOF_MAX]):
    """
    @notice Withdraws from the last active root when none with a fresh cut came for
            `failSafeS`.
    @dev No pause stops it. An account whose first deposit is newer than the active root's
         pinned block has no leaf there: it passes charged = 0 and no proof, as everybody does
         before the first root.
    @custom:effects Freezes the account; pays its recipient; moves `minPinnedBlock` to this
            block, so that every later posting knows of this withdrawal; drops a pending root,
            which cannot know of it, unless its dispute is open; emits `FailSafeWithdrawn`.
    @custom:requirements The fail-safe is open and not held; the leaf (1, caller, charged) is
            in the active root, or the account is newer and charged = 0; something is left;
            the caps hold afterwards.
    @param charged The account's cumulative charges in the active root
    @param proof Of the leaf (1, caller, charged)
    """
    assert block.timestamp >= self.fresh_at + failSafeS, "fail-safe is shut"
    assert block.timestamp >= self.failSafeHeldUntil, "fail-safe is held"
    root: bytes32 = self.activeRoot
    newer: bool = self.firstDepositBlock[msg.sender] > convert(self.active_pinned, uint256)
    if root == empty(bytes32) or newer:
        assert charged == 0 and len(proof) == 0, "no leaf yet"
    else:
        assert self._proves(CHARGED, msg.sender, charged, root, proof), "bad proof"
    if self.frozenAt[msg.sender] == 0:
        self._freeze(msg.sender)
    self.minPinnedBlock = convert(block.number, uint64)
    amount: uint256 = self._debit(msg.sender, charged)
    log FailSafeWithdrawn(
        account=msg.sender, amount=amount, total=self.withdrawn[msg.sender]
    )
    assert self._pay(self._recipientOf(msg.sender), amount), "transfer failed"


@external
def holdFailSafe():
    """
    @notice Shuts the fail-safe for half of `failSafeS`, for a settler who is back.
    @dev Without it anybody could raise `minPinnedBlock` each block with a dust withdrawal, and
         no root could become active again. It comes back open for `failSafeS` at the least.
    @custom:effects Sets `failSafeHeldUntil`; emits `FailSafeHeld`.
    @custom:requirements The caller is the settler; the fail-safe is open; the last hold ended
            `failSafeS` ago.
    """
    self._only(ROLE_SETTLER)
    assert block.timestamp >= self.fresh_at + failSafeS, "fail-safe is shut"
    held_until: uint256 = self.failSafeHeldUntil
    assert held_until == 0 or block.timestamp >= held_until + failSafeS, "held too recently"
    self.failSafeHeldUntil = block.timestamp + failSafeS // 2
    log FailSafeHeld(until=self.failSafeHeldUntil)


# ---------------------------------------------------------------- epochs and roots

@external
def commitEpoch(epoch: uint64, answersHash: bytes32, cutBlock: uint64):
    """
    @notice Fixes what a closed epoch holds, before anybody knows its audits or its root.
    @custom:effects Stores hash and cut; the first call sets the first epoch; emits
            `EpochCommitted`.
    @custom:requirements The caller is the settler; posting is not paused; epochs are
            contiguous; the hash is not zero; the cut is a past block and not before the last;
            before the first commit, nothing is pending.
    @param epoch Its number
    @param answersHash Hash of its answers manifest
    @param cutBlock The finalized block that was read when it was closed
    """
    self._only(ROLE_SETTLER)
    assert not self._paused(PAUSE_POST), "posting is paused"
    assert answersHash != empty(bytes32), "hash is zero"
    assert convert(cutBlock, uint256) < block.number, "cut is no past block"
    if self.started:
        assert epoch == self.next_commit, "not the next epoch"
        assert cutBlock >= self.commits[epoch - 1].cutBlock, "cut goes back"
    else:
        assert not self._is_pending(), "a root is pending"
        self.started = True
        self.next_epoch = epoch
        self.pending_end = epoch
    self.next_commit = epoch + 1
    self.commits[epoch] = EpochCommit(answersHash=answersHash, cutBlock=cutBlock)
    log EpochCommitted(epoch=epoch, answersHash=answersHash, cutBlock=cutBlock)


@external
def postRoot(
    fromEpoch: uint64,
    toEpoch: uint64,
    attempt: uint32,
    parentRoot: bytes32,
    root: bytes32,
    earnedTotal: uint256,
    chargedTotal: uint256,
    pinnedBlock: uint64,
    settlementHash: bytes32,
):
    """
    @notice Posts the root of the next epochs. It becomes active when nobody proves it wrong.
    @custom:effects Stores it as pending; emits `RootPosted`.
    @custom:requirements The caller is the settler and holds a bond of `bondNow()`; posting is
            not paused; nothing is pending; the epochs are committed and follow the active
            ones; the attempt is `nextAttempt()` or not far above it; the parent is the
            active root; both totals do not shrink and respect the caps; the pinned block is
            past, and not before `minPinnedBlock` or the last epoch's cut.
    @param fromEpoch First epoch
    @param toEpoch Last epoch
    @param attempt Counts from 1 for each first epoch
    @param parentRoot The active root, zero before the first
    @param root The new root
    @param earnedTotal Sum of its leaves of kind 0
    @param chargedTotal Sum of its leaves of kind 1
    @param pinnedBlock The block whose deposits and withdrawals were read
    @param settlementHash Hash of the settlement manifest
    """
    self._only(ROLE_SETTLER)
    assert not self._paused(PAUSE_POST), "posting is paused"
    next_epoch: uint64 = self.next_epoch
    assert self.pending_end <= next_epoch, "a root is pending"
    assert fromEpoch == next_epoch, "not the next epoch"
    assert toEpoch >= fromEpoch, "no epoch"
    cut_block: uint64 = self.commits[toEpoch].cutBlock
    assert self.started and toEpoch < self.next_commit, "epoch not committed"
    used: uint256 = self._attempts_used()
    assert convert(attempt, uint256) > used, "attempt used"
    assert convert(attempt, uint256) <= used + ATTEMPT_STEP_MAX, "attempt too far"
    assert root != empty(bytes32), "root is zero"
    assert parentRoot == self.activeRoot, "parent is not active"
    assert earnedTotal >= self.active_earned, "earned total shrinks"
    assert chargedTotal >= self.active_charged, "charged total shrinks"
    assert earnedTotal <= FLOAT_MAX, "earned total too large"
    self._check_caps(earnedTotal, chargedTotal)
    assert convert(pinnedBlock, uint256) < block.number, "pin is no past block"
    assert pinnedBlock >= self.minPinnedBlock and pinnedBlock >= cut_block, "pin too early"
    assert self.bonds[msg.sender] >= self._bond(), "bond too low"
    self.pending_root = root
    self.pending_end = toEpoch + 1
    self.pending_key = self._key(fromEpoch, attempt)
    self.pending_earned = earnedTotal
    self.pending_charged = chargedTotal
    self.pending_pinned = pinnedBlock
    self.pending_due = self._clock() + activationDelayS
    log RootPosted(
        root=root,
        fromEpoch=fromEpoch,
        toEpoch=toEpoch,
        attempt=attempt,
        parentRoot=parentRoot,
        earnedTotal=earnedTotal,
        chargedTotal=chargedTotal,
        pinnedBlock=pinnedBlock,
        settlementHash=settlementHash,
        activeAt=block.timestamp + activationDelayS,
    )


@external
def activateRoot():
    """
    @notice Makes the pending root the active one. Anybody may call it.
    @dev The fail-safe counts anew only by a fresh cut: one not before the activation from which
         it counted until then. Else a settler who cuts at one old block for ever would keep
         every freeze in its grace, and the fail-safe shut.
    @custom:effects The root can be claimed by; its parent stays claimable; `minPinnedBlock`
            rises to its pinned block; with a fresh cut the fail-safe counts from now; emits
            `RootActivated`.
    @custom:requirements A root is pending, undisputed, and its delay is over; disputes are
            not paused; the caps hold.
    """
    assert self._is_pending(), "nothing pending"
    assert self.disputer == empty(address), "disputed"
    assert not self._paused(PAUSE_DISPUTE), "disputes are paused"
    assert self._clock() >= self.pending_due, "delay not over"
    earned: uint256 = self.pending_earned
    charged: uint256 = self.pending_charged
    self._check_caps(earned, charged)
    root: bytes32 = self.pending_root
    end: uint64 = self.pending_end
    unclaimed: uint256 = self._empty_float() + earned - self.active_earned
    self.activeRoot = root
    self.root_words[root] = block.timestamp << FLOAT_BITS
    self._fill_float(unclaimed)
    if convert(self.commits[end - 1].cutBlock, uint256) >= self.fresh_block:
        self.fresh_at = block.timestamp
        self.fresh_block = block.number
    self.active_earned = earned
    self.active_charged = charged
    self.active_pinned = self.pending_pinned
    self.minPinnedBlock = max(self.minPinnedBlock, self.pending_pinned)
    self.next_epoch = end
    self._forget_dispute()
    self.disputedDrops = 0
    log RootActivated(root=root, toEpoch=end - 1)


# ---------------------------------------------------------------- disputes

@external
@nonreentrant
def depositBond(amount: uint256):
    """
    @notice Adds to the caller's bond balance, from which posting and disputing are bonded.
    @custom:effects Takes `amount` from the caller; credits what arrived; emits
            `BondDeposited`.
    @custom:requirements Something arrived.
    @param amount Units to take from the caller, who approved them
    """
    received: uint256 = self._receive(amount)
    self.bonds[msg.sender] += received
    self.bondsHeld += received
    log BondDeposited(holder=msg.sender, amount=received)


@external
@nonreentrant
def withdrawBond(amount: uint256):
    """
    @notice Takes back from the caller's bond balance.
    @custom:effects Pays the caller; emits `BondWithdrawn`.
    @custom:requirements The balance suffices; of the balance of who posted the pending root,
            what bonds it stays.
    @param amount Units
    """
    left: uint256 = self.bonds[msg.sender] - amount
    if self._is_pending() and msg.sender == self._poster():
        assert left >= self._bond(), "bond is in use"
    self.bonds[msg.sender] = left
    self.bondsHeld -= amount
    log BondWithdrawn(holder=msg.sender, amount=amount)
    assert self._pay(msg.sender, amount), "transfer failed"


@external
def dispute(fromEpoch: uint64, attempt: uint32):
    """
    @notice Says that the pending root is not what its settlement manifest gives.
    @dev It names the root, so that it cannot land on another one that was posted meanwhile.
    @custom:effects Takes `bondNow()` from the caller's bond balance; the root waits for the
            arbiter; the active root stays claimable; emits `RootDisputed`.
    @custom:requirements The root named is pending, its delay is not over, it is not disputed
            and was not ruled upon; disputes are not paused; the caller is not the settler and
            has the bond.
    @param fromEpoch First epoch of the root
    @param attempt Its attempt
    """
    assert not self._paused(PAUSE_DISPUTE), "disputes are paused"
    assert self._is_pending(), "nothing pending"
    assert self.pending_key == self._key(fromEpoch, attempt), "another root"
    assert self.disputer == empty(address), "disputed"
    assert not self.ruled, "already ruled upon"
    clock: uint256 = self._clock()
    assert clock < self.pending_due, "delay is over"
    assert msg.sender != self.holders[ROLE_SETTLER], "settler disputes"
    bond: uint256 = self._bond()
    assert self.bonds[msg.sender] >= bond, "bond too low"
    self.bonds[msg.sender] -= bond
    self.disputer = msg.sender
    self.dispute_due = clock + arbiterDeadlineS
    log RootDisputed(
        root=self.pending_root,
        disputer=msg.sender,
        bond=bond,
        decideBy=block.timestamp + arbiterDeadlineS,
    )


@external
def resolveDispute(fromEpoch: uint64, attempt: uint32, upheld: bool):
    """
    @notice Decides the dispute. Half of the loser's bond goes to the winner, half away, so
            that disputing oneself always costs.
    @dev A withdrawal may have made the root impossible while it was disputed; who is right is
         decided all the same, or else a settler could buy his bond free with a dust account.
    @custom:effects Upheld: the root is dropped and the next bond doubles. Else: the root goes
            on to its activation and cannot be disputed again, or is dropped when it became
            impossible or its settler was replaced. Emits `DisputeResolved`.
    @custom:requirements The caller is the arbiter; a dispute of the root named is open; the
            deadline is ahead.
    @param fromEpoch First epoch of the root
    @param attempt Its attempt
    @param upheld Whether the disputer is right, that is: the root is wrong
    """
    self._only(ROLE_ARBITER)
    disputer: address = self.disputer
    assert disputer != empty(address), "not disputed"
    assert self.pending_key == self._key(fromEpoch, attempt), "another root"
    assert self._clock() < self.dispute_due, "deadline is over"
    poster: address = self._poster()
    bond: uint256 = self._bond()
    won: uint256 = bond // 2
    sunk: uint256 = bond - won
    self._forget_dispute()
    self.bondsHeld -= sunk
    log DisputeResolved(
        root=self.pending_root,
        upheld=upheld,
        winner=disputer if upheld else poster,
        loser=poster if upheld else disputer,
        won=won,
        sunk=sunk,
    )
    if upheld:
        self.bonds[poster] -= bond
        self.bonds[disputer] += bond + won
        self.disputedDrops += 1
        self._drop()
    else:
        self.bonds[poster] += won
        self.ruled = True
        if self.former_settler != empty(address) or self._is_broken():
            self._drop()
    # A token that refuses the sink must not hold up the decision; the units stay here, unowned.
    self._pay(SINK, sunk)


@external
def expireDispute():
    """
    @notice The default when the arbiter is silent: the root is dropped, bonds go back.
    @custom:effects Returns the disputer's bond; drops the root; the next bond doubles.
    @custom:requirements A dispute is open and its deadline is over.
    """
    assert self.disputer != empty(address), "not disputed"
    assert self._clock() >= self.dispute_due, "deadline not over"
    self.bonds[self.disputer] += self._bond()
    self._forget_dispute()
    self.disputedDrops += 1
    self._drop()


# ---------------------------------------------------------------- claims

@external
@nonreentrant
def claim(
    root: bytes32, payee: address, cumulative: uint256, proof: DynArray[bytes32, PROOF_MAX]
) -> uint256:
    """
    @notice Pays a payee what he earned and has not claimed. Anybody may call it for him.
    @dev By any root that was ever active, so a proof does not go stale.
    @custom:effects Pays the payee's recipient; emits `Claimed`.
    @custom:requirements Claims are not paused; the root was active; the leaf
            (0, payee, cumulative) is in it; it is more than was claimed; the active root's
            earned total is not exceeded.
    @param root A root that is or was active
    @param payee Whose leaf it is
    @param cumulative All that he earned up to that root
    @param proof Of the leaf (0, payee, cumulative)
    @return Units paid
    """
    root_word: uint256 = self.root_words[root]
    assert root_word != 0, "root was never active"
    claimed_word: uint256 = self.claimed_word[payee]
    assert cumulative > claimed_word >> 1, "nothing to claim"
    assert self._proves(EARNED, payee, cumulative, root, proof), "bad proof"
    amount: uint256 = cumulative - (claimed_word >> 1)
    if amount <= root_word & FLOAT_MAX:
        self.root_words[root] = root_word - amount
    else:
        assert not self._paused(PAUSE_CLAIM), "claims are paused"
        unclaimed: uint256 = self._empty_float()
        assert amount <= unclaimed, "above earned total"
        self._fill_float(unclaimed - amount)
    self.claimed_word[payee] = (cumulative << 1) | (claimed_word & 1)
    receiver: address = payee
    if claimed_word & 1 != 0:
        receiver = self.own_recipient[payee]
    log Claimed(payee=payee, recipient=receiver, amount=amount, cumulative=cumulative)
    assert self._pay(receiver, amount), "transfer failed"
    return amount


@external
@nonreentrant
def claimMany(root: bytes32, claims: DynArray[Claim, CLAIMS_MAX]) -> uint256:
    """
    @notice Claims for many payees at once; what fails is skipped and named.
    @custom:effects As `claim` for each; emits `Claimed` or `ClaimSkipped`.
    @custom:requirements Claims are not paused; the root was active.
    @param root A root that is or was active
    @param claims Payees with their cumulative earnings and proofs
    @return Units paid in all
    """
    assert not self._paused(PAUSE_CLAIM), "claims are paused"
    assert self.root_words[root] != 0, "root was never active"
    unclaimed: uint256 = self._empty_float()
    paid: uint256 = 0
    for one: Claim in claims:
        claimed_word: uint256 = self.claimed_word[one.payee]
        if one.cumulative <= claimed_word >> 1:
            log ClaimSkipped(payee=one.payee, reason="nothing to claim")
            continue
        if not self._proves(EARNED, one.payee, one.cumulative, root, one.proof):
            log ClaimSkipped(payee=one.payee, reason="bad proof")
            continue
        amount: uint256 = one.cumulative - (claimed_word >> 1)
        if amount > unclaimed - paid:
            log ClaimSkipped(payee=one.payee, reason="above earned total")
            continue
        self.claimed_word[one.payee] = (one.cumulative << 1) | (claimed_word & 1)
        receiver: address = self._recipientOf(one.payee)
        if not self._pay(receiver, amount):
            self.claimed_word[one.payee] = claimed_word
            log ClaimSkipped(payee=one.payee, reason="transfer failed")
            continue
        paid += amount
        log Claimed(
            payee=one.payee, recipient=receiver, amount=amount, cumulative=one.cumulative
        )
    self._fill_float(unclaimed - paid)
    return paid


@external
def setRecipient(recipient: address):
    """
    @notice Sends what the caller claims or withdraws to another address from now on.
    @custom:effects Stores it; emits `RecipientSet`.
    @custom:requirements None.
    @param recipient The new recipient; zero means the caller himself
    """
    word: uint256 = self.claimed_word[msg.sender] >> 1 << 1
    if recipient != empty(address):
        word |= 1
    self.claimed_word[msg.sender] = word
    self.own_recipient[msg.sender] = recipient
    log RecipientSet(payee=msg.sender, recipient=recipient)


@external
def bindOwner(label: String[LABEL_MAX], payee: address):
    """
    @notice Binds an owner's label to the address that earns for it, once and for good.
    @custom:effects Stores the binding; emits `OwnerBound`.
    @custom:requirements The caller is the settler; label and payee are not empty; the label
            is not bound.
    @param label The owner
    @param payee The address that earns for it
    """
    self._only(ROLE_SETTLER)
    assert len(label) != 0 and payee != empty(address), "label or payee is empty"
    owner_hash: bytes32 = keccak256(label)
    assert self.payeeOf[owner_hash] == empty(address), "already bound"
    self.payeeOf[owner_hash] = payee
    log OwnerBound(ownerHash=owner_hash, payee=payee, label=label)


# ---------------------------------------------------------------- pauses and roles

@external
def pause(flags: uint256):
    """
    @notice Stops functions by name of flag. A pause lapses after `failSafeS`, so that no lost
            key can stop anything for ever.
    @dev A pause of disputes stops the clock of activations and of the arbiter's deadline.
         Freezing, the fail-safe and bond withdrawals cannot be paused.
    @custom:effects Sets `pausedUntil` of each flag; emits `Paused`.
    @custom:requirements The caller is the owner; the flags are known and not none.
    @param flags Sum of PAUSE_…
    """
    self._only(ROLE_OWNER)
    assert flags != 0 and flags <= PAUSE_ALL, "unknown flags"
    if flags & PAUSE_DISPUTE != 0:
        self._settle_clock()
        self.disputes_paused_at = block.timestamp
    if flags & PAUSE_CLAIM != 0:
        self.reserve = self._empty_float()
    self._set_pauses(flags, block.timestamp + failSafeS)
    log Paused(flags=flags, until=block.timestamp + failSafeS)


@external
def unpause(flags: uint256):
    """
    @notice Ends pauses before they lapse.
    @custom:effects Clears `pausedUntil` of each flag; emits `Unpaused`.
    @custom:requirements The caller is the owner; the flags are known and not none.
    @param flags Sum of PAUSE_…
    """
    self._only(ROLE_OWNER)
    assert flags != 0 and flags <= PAUSE_ALL, "unknown flags"
    if flags & PAUSE_DISPUTE != 0:
        self._settle_clock()
    self._set_pauses(flags, 0)
    log Unpaused(flags=flags)


@external
def proposeRole(role: uint256, holder: address):
    """
    @notice Proposes a new holder of a role; zero takes a proposal back.
    @custom:effects Stores it with its earliest instant; emits `RoleProposed`.
    @custom:requirements The caller is the owner; the role is known.
    @param role ROLE_OWNER, ROLE_SETTLER or ROLE_ARBITER
    @param holder Who shall have it
    """
    self._only(ROLE_OWNER)
    assert role <= ROLE_ARBITER, "unknown role"
    effective_at: uint256 = block.timestamp + timelockS
    self.proposals[role] = RoleProposal(holder=holder, effectiveAt=effective_at)
    log RoleProposed(role=role, holder=holder, effectiveAt=effective_at)


@external
def acceptRole(role: uint256):
    """
    @notice Takes a role that was proposed to the caller.
    @dev A settler's key that was stolen must leave nothing behind that stops the next one.
    @custom:effects Changes the holder. A new settler drops what the old one has pending, or,
            where it is disputed, waits until it is decided, at the old one's bond; commits of
            epochs that no active root covers are undone, and before the first active root the
            first epoch too; the bond falls back to the first. Emits `RoleAccepted`.
    @custom:requirements The caller is the proposed holder; the time lock is over; settler and
            arbiter stay two.
    @param role ROLE_OWNER, ROLE_SETTLER or ROLE_ARBITER
    """
    proposal: RoleProposal = self.proposals[role]
    assert proposal.holder == msg.sender, "not proposed"
    assert block.timestamp >= proposal.effectiveAt, "time lock not over"
    if role == ROLE_SETTLER:
        self._retire_settler()
    self.holders[role] = msg.sender
    assert self.holders[ROLE_SETTLER] != self.holders[ROLE_ARBITER], "settler is arbiter"
    self.proposals[role] = empty(RoleProposal)
    log RoleAccepted(role=role, holder=msg.sender)


# ---------------------------------------------------------------- views

@external
@view
def owner() -> address:
    """
    @notice Who pauses and proposes roles.
    @return The owner
    """
    return self.holders[ROLE_OWNER]


@external
@view
def settler() -> address:
    """
    @notice Who commits epochs, posts roots and binds owners.
    @return The settler
    """
    return self.holders[ROLE_SETTLER]


@external
@view
def arbiter() -> address:
    """
    @notice Who decides disputes.
    @return The arbiter
    """
    return self.holders[ROLE_ARBITER]


@external
@view
def proposedRole(role: uint256) -> RoleProposal:
    """
    @notice Who shall take a role, and from when he can.
    @param role ROLE_OWNER, ROLE_SETTLER or ROLE_ARBITER
    @return Holder and earliest instant; zeros without a proposal
    """
    return self.proposals[role]


@external
@view
def pending() -> Posting:
    """
    @notice The pending root.
    @return All of it; zeros when nothing is pending. `activeAt` counts with the clock as it
            runs now.
    """
    if not self._is_pending():
        return empty(Posting)
    return Posting(
        root=self.pending_root,
        fromEpoch=self.next_epoch,
        toEpoch=self.pending_end - 1,
        attempt=convert(self.pending_key & convert(max_value(uint32), uint256), uint32),
        parentRoot=self.activeRoot,
        earnedTotal=self.pending_earned,
        chargedTotal=self.pending_charged,
        pinnedBlock=self.pending_pinned,
        activeAt=self.pending_due + (block.timestamp - self._clock()),
        disputer=self.disputer,
        ruled=self.ruled,
    )


@external
@view
def nextEpoch() -> uint64:
    """
    @notice The first epoch of the next posting; the active root covers those before it.
    @return Its number; 0 before the first commit
    """
    return self.next_epoch if self.started else 0


@external
@view
def nextCommit() -> uint64:
    """
    @notice The next epoch to commit.
    @return Its number; before the first commit 0, though any number may be the first
    """
    return self.next_commit


@external
@view
def nextAttempt() -> uint256:
    """
    @notice The least attempt that the next posting may have.
    @return Its number
    """
    return self._attempts_used() + 1


@external
@view
def epochCommit(epoch: uint64) -> EpochCommit:
    """
    @notice What was committed for an epoch.
    @param epoch Its number
    @return Hash and cut; zeros when it was not committed, or when that was undone
    """
    if epoch >= self.next_commit:
        return empty(EpochCommit)
    return self.commits[epoch]


@external
@view
def earnedTotal() -> uint256:
    """
    @notice Sum of what payees earned by the active root.
    @return Units
    """
    return self.active_earned


@external
@view
def chargedTotal() -> uint256:
    """
    @notice Sum of what accounts were charged by the active root.
    @return Units
    """
    return self.active_charged


@external
@view
def claimedTotal() -> uint256:
    """
    @notice Sum of what was claimed.
    @return Units
    """
    return self.active_earned - self.reserve - (self.root_words[self.activeRoot] & FLOAT_MAX)


@external
@view
def claimed(payee: address) -> uint256:
    """
    @notice What a payee has claimed.
    @param payee The payee
    @return Units
    """
    return self.claimed_word[payee] >> 1


@external
@view
def rootActivatedAt(root: bytes32) -> uint256:
    """
    @notice When a root became active.
    @param root The root
    @return Unix second; 0 when it never did
    """
    return self.root_words[root] >> FLOAT_BITS


@external
@view
def activePinnedBlock() -> uint64:
    """
    @notice The pinned block of the active root: accounts whose first deposit is newer have no
            leaf in it.
    @return Block number; 0 before the first root
    """
    return self.active_pinned


@external
@view
def recipientOf(payee: address) -> address:
    """
    @notice Where a payee's claims and withdrawals go.
    @param payee The payee
    @return His recipient, himself if he set none
    """
    return self._recipientOf(payee)


@external
@view
def bondNow() -> uint256:
    """
    @notice The bond that posting and disputing need now.
    @return Units
    """
    return self._bond()


@external
@view
def failSafeOpenAt() -> uint256:
    """
    @notice When the fail-safe opens unless a root with a fresh cut becomes active before.
    @return Unix second
    """
    return max(self.fresh_at + failSafeS, self.failSafeHeldUntil)


@external
@view
def paused() -> uint256:
    """
    @notice What is paused now.
    @return Sum of PAUSE_…
    """
    flags: uint256 = 0
    for bit: uint256 in range(5):
        if self._paused(1 << bit):
            flags |= 1 << bit
    return flags


@external
@pure
def version() -> String[8]:
    """
    @notice The version of this interface.
    @return Semantic version
    """
    return "2.0.0"


# ---------------------------------------------------------------- internal

@internal
@view
def _only(role: uint256):
    assert msg.sender == self.holders[role], "wrong role"


@internal
@view
def _paused(flag: uint256) -> bool:
    return block.timestamp < self.pausedUntil[flag]


@internal
def _set_pauses(flags: uint256, until: uint256):
    for bit: uint256 in range(5):
        if flags & (1 << bit) != 0:
            self.pausedUntil[1 << bit] = until


@internal
@view
def _lost() -> uint256:
    """
    @dev Seconds of the running or lapsed pause of disputes.
    """
    since: uint256 = self.disputes_paused_at
    if since == 0:
        return 0
    return min(block.timestamp, self.pausedUntil[PAUSE_DISPUTE]) - since


@internal
def _settle_clock():
    self.clock_lost_s += self._lost()
    self.disputes_paused_at = 0


@internal
@view
def _clock() -> uint256:
    """
    @dev Seconds in which disputes were not paused: what activation and deadline count.
    """
    return block.timestamp - self.clock_lost_s - self._lost()


@internal
@view
def _bond() -> uint256:
    return bondUnits << min(self.disputedDrops, DOUBLINGS_MAX)


@internal
@view
def _is_pending() -> bool:
    return self.pending_end > self.next_epoch


@internal
@view
def _check_caps(earned: uint256, charged: uint256):
    assert earned <= charged, "earned above charged"
    assert charged <= self.creditTotal, "charged above credit"


@internal
def _forget_dispute():
    if self.disputer != empty(address):
        self.disputer = empty(address)
    if self.ruled:
        self.ruled = False


@internal
@pure
def _key(from_epoch: uint64, attempt: uint32) -> uint256:
    """
    @dev The name of a posting: no two have the same first epoch and attempt.
    """
    return (convert(from_epoch, uint256) << 32) | convert(attempt, uint256)


@internal
@view
def _attempts_used() -> uint256:
    """
    @dev The last attempt of the next epoch.
    """
    key: uint256 = self.pending_key
    if key >> 32 != convert(self.next_epoch, uint256):
        return 0
    return key & convert(max_value(uint32), uint256)


@internal
@view
def _poster() -> address:
    """
    @dev Whose bond stands for the pending root.
    """
    if self.former_settler != empty(address):
        return self.former_settler
    return self.holders[ROLE_SETTLER]


@internal
@view
def _is_broken() -> bool:
    """
    @dev Whether withdrawals made the pending root impossible.
    """
    return (
        self.pending_charged > self.creditTotal or self.pending_pinned < self.minPinnedBlock
    )


@internal
def _retire_settler():
    """
    @dev Undoes what the next settler would stumble over. Attempts go on: a name that was used
         never names another root.
    """
    if self.disputer != empty(address):
        self.former_settler = self._poster()
    else:
        if self._is_pending():
            self._drop()
        self.disputedDrops = 0
    if self.activeRoot == empty(bytes32):
        self.started = False
        self.next_commit = 0
    else:
        self.next_commit = self.next_epoch


@internal
def _drop():
    log RootDropped(
        root=self.pending_root,
        fromEpoch=self.next_epoch,
        toEpoch=self.pending_end - 1,
        attempt=convert(self.pending_key & convert(max_value(uint32), uint256), uint32),
    )
    self.ruled = False
    self.pending_end = self.next_epoch
    if self.former_settler != empty(address):
        self.former_settler = empty(address)
        self.disputedDrops = 0


@internal
def _freeze(account: address):
    self.frozenAt[account] = block.number
    log Frozen(account=account, blockNumber=block.number)


@internal
@view
def _recipientOf(payee: address) -> address:
    if self.claimed_word[payee] & 1 != 0:
        return self.own_recipient[payee]
    return payee


@internal
def _empty_float() -> uint256:
    """
    @dev Takes all that is earned and unclaimed out of float and reserve.
    """
    root: bytes32 = self.activeRoot
    word: uint256 = self.root_words[root]
    unclaimed: uint256 = (word & FLOAT_MAX) + self.reserve
    self.root_words[root] = word - (word & FLOAT_MAX)
    if self.reserve != 0:
        self.reserve = 0
    return unclaimed


@internal
def _fill_float(unclaimed: uint256):
    """
    @dev Gives it to the active root, or to the reserve while claims are paused.
    """
    if self._paused(PAUSE_CLAIM):
        self.reserve += unclaimed
    else:
        self.root_words[self.activeRoot] += unclaimed


@internal
def _receive(amount: uint256) -> uint256:
    """
    @dev What really arrived: a token may take a fee.
    """
    before: uint256 = staticcall IERC20(token).balanceOf(self)
    assert extcall IERC20(token).transferFrom(
        msg.sender, self, amount, default_return_value=True
    ), "transfer failed"
    received: uint256 = staticcall IERC20(token).balanceOf(self) - before
    assert received != 0, "nothing arrived"
    return received


@internal
def _pay(receiver: address, amount: uint256) -> bool:
    success: bool = False
    response: Bytes[32] = b""
    success, response = raw_call(
        token,
        abi_encode(receiver, amount, method_id=method_id("transfer(address,uint256)")),
        max_outsize=32,
        revert_on_failure=False,
    )
    return success and (len(response) == 0 or convert(response, uint256) == 1)


@internal
def _deposit(account: address, amount: uint256):
    assert not self._paused(PAUSE_DEPOSIT), "deposits are paused"
    assert account != empty(address), "account is zero"
    assert self.frozenAt[account] == 0, "account is frozen"
    received: uint256 = self._receive(amount)
    if self.firstDepositBlock[account] == 0:
        self.firstDepositBlock[account] = block.number
    total: uint256 = self.deposited[account] + received
    self.deposited[account] = total
    self.creditTotal += received
    log Deposited(account=account, payer=msg.sender, amount=received, total=total)


@internal
def _debit(account: address, charged: uint256) -> uint256:
    """
    @dev Books the withdrawal of all that is left, holds the active root to the caps, and
         drops a pending root that can no longer become active. A disputed one stays until
         it is decided or times out: no withdrawal frees its settler's bond.
    """
    spent: uint256 = self.withdrawn[account] + charged
    assert self.deposited[account] > spent, "nothing left"
    amount: uint256 = self.deposited[account] - spent
    credit: uint256 = self.creditTotal - amount
    assert self.active_charged <= credit, "charged above credit"
    self.withdrawn[account] += amount
    self.creditTotal = credit
    if self._is_pending() and self.disputer == empty(address) and self._is_broken():
        self._drop()
    return amount


@internal
@view
def _proves(
    kind: uint8,
    holder: address,
    cumulative: uint256,
    root: bytes32,
    proof: DynArray[bytes32, PROOF_MAX],
) -> bool:
    node: bytes32 = keccak256(keccak256(abi_encode(kind, holder, cumulative)))
    for sibling: bytes32 in proof:
        if convert(node, uint256) < convert(sibling, uint256):
            node = keccak256(abi_encode(node, sibling))
        else:
            node = keccak256(abi_encode(sibling, node))
    return node == root
