"""Settings in the order in which they were chosen: what undo and redo walk through."""

from dataclasses import dataclass, replace
from typing import Generic, TypeVar

_Step = TypeVar("_Step")
_MOST = 200
"""Steps that are kept; a slider that is dragged makes one for each place where it is let go."""


@dataclass(frozen=True, slots=True)
class History(Generic[_Step]):
    """A history of settings, with its current place.

    Attributes:
        steps: The settings, oldest first, of which neighbors differ; at least one.
        place: Place of the current ones.
    """

    steps: tuple[_Step, ...]
    place: int = 0

    @property
    def current(self) -> _Step:
        """The current settings."""
        return self.steps[self.place]

    @property
    def can_undo(self) -> bool:
        """Whether there is an older step."""
        return self.place > 0

    @property
    def can_redo(self) -> bool:
        """Whether there is a step that was undone."""
        return self.place + 1 < len(self.steps)

    def noted(self, setting: _Step) -> "History[_Step]":
        """The history after other settings were chosen, which drops what was undone; itself if they are the current ones."""
        if setting == self.current:
            return self
        steps = (*self.steps[: self.place + 1], setting)[-_MOST:]
        return History(steps, len(steps) - 1)

    def moved(self, by: int) -> "History[_Step]":
        """The history some steps older (negative) or newer, at most at its end: a click may come twice."""
        return replace(self, place=min(max(0, self.place + by), len(self.steps) - 1))
