"""The contract of a hosted service: what its adapter must do, whatever the service answers."""

from __future__ import annotations

from storyreel.testing.contract.at_once import AtOnce
from storyreel.testing.contract.foreign import ForeignAnswers
from storyreel.testing.contract.key import Key
from storyreel.testing.contract.looks import Looks
from storyreel.testing.contract.orders import Orders
from storyreel.testing.contract.promises import Promises


class HostedContract(Promises, Orders, AtOnce, Looks, ForeignAnswers, Key):
    """All its tests. A subclass named `Test…` has a fixture `service` that returns a HostedService."""
