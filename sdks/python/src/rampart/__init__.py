"""Ask Rampart before an agent acts. Whatever goes wrong is a refusal."""

from .asynchronous import AsyncRampart
from .client import Rampart
from .decision import Decision, Refused, Rule, Unreachable

__all__ = ["AsyncRampart", "Decision", "Rampart", "Refused", "Rule", "Unreachable"]
