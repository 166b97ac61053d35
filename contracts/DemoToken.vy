# pragma version ~=0.4.3
# SPDX-License-Identifier: Apache-2.0
"""
@title Demo token
@license Apache-2.0
@notice A plain ERC-20 for the local chain. Anyone may mint it, so it is worth nothing:
        never use it where money is meant.
"""

from ethereum.ercs import IERC20

implements: IERC20

event Transfer:
    sender: indexed(address)
    receiver: indexed(address)
    value: uint256

event Approval:
    owner: indexed(address)
    spender: indexed(address)
    value: uint256

name: public(constant(String[32])) = "Distributary demo token"
symbol: public(constant(String[8])) = "DEMO"
decimals: public(constant(uint8)) = 18

totalSupply: public(uint256)
balanceOf: public(HashMap[address, uint256])
allowance: public(HashMap[address, HashMap[address, uint256]])


@external
def mint(receiver: address, amount: uint256) -> bool:
    """
    @notice Makes `amount` new units for `receiver`. Anyone may call it.
    @param receiver Who gets them
    @param amount In base units
    @return True
    """
    assert receiver != empty(address), "receiver is zero"
    self.totalSupply += amount
    self.balanceOf[receiver] += amount
    log Transfer(sender=empty(address), receiver=receiver, value=amount)
    return True


@external
def transfer(receiver: address, amount: uint256) -> bool:
    """
    @notice Moves `amount` units of the caller to `receiver`.
    @param receiver Who gets them
    @param amount In base units
    @return True; reverts when the balance is too low
    """
    self._move(msg.sender, receiver, amount)
    return True


@external
def transferFrom(sender: address, receiver: address, amount: uint256) -> bool:
    """
    @notice Moves `amount` units of `sender`, who approved the caller, to `receiver`.
    @param sender Whose they are
    @param receiver Who gets them
    @param amount In base units
    @return True; reverts when balance or allowance is too low
    """
    allowed: uint256 = self.allowance[sender][msg.sender]
    if allowed != max_value(uint256):
        self.allowance[sender][msg.sender] = allowed - amount
    self._move(sender, receiver, amount)
    return True


@external
def approve(spender: address, amount: uint256) -> bool:
    """
    @notice Lets `spender` move up to `amount` units of the caller.
    @param spender Who may
    @param amount In base units; the largest uint256 means without limit
    @return True
    """
    self.allowance[msg.sender][spender] = amount
    log Approval(owner=msg.sender, spender=spender, value=amount)
    return True


@internal
def _move(sender: address, receiver: address, amount: uint256):
    assert receiver != empty(address), "receiver is zero"
    self.balanceOf[sender] -= amount
    self.balanceOf[receiver] += amount
    log Transfer(sender=sender, receiver=receiver, value=amount)
