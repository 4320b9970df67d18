"""What is known of a kind of destination, for whoever sets one up."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Facts:
    """A kind in words, as `writeback destinations show` prints it.

    `title` names the product. `sure`: sentences that public documents bear out. `assumed`: sentences that nobody has
    confirmed, to be agreed with the vendor before anybody relies on them. `experimental`: not for a school's records
    before it has been tried against a test system.
    """

    title: str
    sure: tuple[str, ...] = ()
    assumed: tuple[str, ...] = ()
    experimental: bool = False
