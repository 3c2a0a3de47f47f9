"""One alert: what it is about (key), what it says, where to look."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Alert:
    """Something that operators should know.

    `key` names the trouble, not the occurrence: two failures of the same step for the same day share it, so the second
    is counted and not sent again.
    """

    key: str
    title: str
    message: str
    link: str = ""

    def text(self) -> str:
        """The message with its link, as every channel shows it."""
        return f"{self.message}\n{self.link}" if self.link else self.message
