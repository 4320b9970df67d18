"""Chance that leaves nothing out: every card of a shuffled deck is dealt before any comes again."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Generic, TypeVar

Card = TypeVar("Card")


class Deck(Generic[Card]):
    """Cards in an order of chance, shuffled anew when all have been dealt."""

    def __init__(self, cards: Sequence[Card], rng: random.Random) -> None:
        self._cards = tuple(cards)
        self._rng = rng
        self._left: list[Card] = []

    def deal(self) -> Card:
        """The next card."""
        if not self._left:
            self._left = self._rng.sample(self._cards, len(self._cards))
        return self._left.pop()
