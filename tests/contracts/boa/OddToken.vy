# pragma version ~=0.4.3
"""
@title Odd token
@notice An ERC-20 with knobs for what tokens in the open do: fees, refusals, calls back.
        It asks nobody for an approval. For tests.
"""

decimals: public(constant(uint8)) = 6
balanceOf: public(HashMap[address, uint256])
fee_bp: public(uint256)
reverts_to: public(HashMap[address, bool])
answers_false_to: public(HashMap[address, bool])
hook: Bytes[1024]
hook_target: address


@external
def set_fee(basis_points: uint256):
    self.fee_bp = basis_points


@external
def revert_to(receiver: address, on: bool):
    self.reverts_to[receiver] = on


@external
def answer_false_to(receiver: address, on: bool):
    self.answers_false_to[receiver] = on


@external
def call_back(target: address, data: Bytes[1024]):
    self.hook_target = target
    self.hook = data


@external
def mint(receiver: address, amount: uint256):
    self.balanceOf[receiver] += amount


@external
def approve(spender: address, amount: uint256) -> bool:
    return True


@external
def transfer(receiver: address, amount: uint256) -> bool:
    return self._move(msg.sender, receiver, amount)


@external
def transferFrom(sender: address, receiver: address, amount: uint256) -> bool:
    return self._move(sender, receiver, amount)


@internal
def _move(sender: address, receiver: address, amount: uint256) -> bool:
    assert not self.reverts_to[receiver], "refused"
    if self.answers_false_to[receiver]:
        return False
    self.balanceOf[sender] -= amount
    self.balanceOf[receiver] += amount - amount * self.fee_bp // 10_000
    if self.hook_target != empty(address):
        target: address = self.hook_target
        self.hook_target = empty(address)
        raw_call(target, self.hook)
    return True
