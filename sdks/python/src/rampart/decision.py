"""What the gateway says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, List, Mapping, Optional


@dataclass(frozen=True)
class Rule:
    """The rule that decided, and where it stands."""

    policy: str
    file: str
    line: int


@dataclass(frozen=True)
class Decision:
    """A decision of the gateway."""

    allowed: bool
    """Whether the call may happen."""
    decision: str
    """``allow``, ``watch``, ``ask``, ``webhook`` or ``deny``."""
    reason: str
    """Why, as a stable code."""
    message: str
    """Text for people and models."""
    rule: Optional[Rule]
    suggestions: List[str]
    """Commands by which a human could allow it."""
    seq: Optional[int]
    """Number of the record in the audit trail; none for a preflight."""

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Decision:
        """Reads an answer. What is missing or of another type is a ``KeyError`` or ``TypeError``, and so a refusal."""
        if not isinstance(answer["allowed"], bool):
            raise TypeError("`allowed` is no truth value")
        told = answer.get("rule")
        rule = Rule(told["policy"], told.get("file", ""), told.get("line", 0)) if told else None
        suggestions = [str(text) for text in answer.get("suggestions", [])]
        return cls(
            allowed=answer["allowed"],
            decision=answer["decision"],
            reason=answer["reason"],
            message=answer.get("message", ""),
            rule=rule,
            suggestions=suggestions,
            seq=answer.get("seq"),
        )

    def explain(self) -> str:
        """One text for people and models: why, by which rule, and how a human can allow it."""
        text = f"Rampart refused this: {self.message or self.reason}"
        if self.rule:
            place = f" ({self.rule.file}:{self.rule.line})" if self.rule.file else ""
            text += f" Rule: {self.rule.policy}{place}."
        if self.suggestions:
            text += f" A human can allow it with: {self.suggestions[0]}"
        return text


class Refused(PermissionError):
    """The call may not happen."""

    def __init__(self, decision: Decision) -> None:
        super().__init__(decision.explain())
        self.decision = decision


class Unreachable(Refused):
    """There was no answer that can be understood, so the call may not happen."""

    def __init__(self, why: str) -> None:
        super().__init__(Decision(False, "deny", "gateway_unreachable", why, None, [], None))
