"""What frees a held entry is one answer, whoever asks."""

from __future__ import annotations

import pytest

from worker.core.judgement.remedies import (
    BY_POLICY,
    Remedy,
    by_hand,
    remedy,
)


@pytest.mark.parametrize("code", sorted(BY_POLICY))
@pytest.mark.parametrize("action", ["add", "change", "void"])
@pytest.mark.parametrize("tells_action", [True, False])
def test_what_a_policy_holds_is_released_unless_the_file_cannot_tell_of_it(
    code: str, action: str, tells_action: bool
) -> None:
    untold = by_hand(action, tells_action=tells_action) is not None
    assert untold == (action != "add" and not tells_action)
    assert remedy(code, action, tells_action=tells_action) == ("by-hand" if untold else "release")


@pytest.mark.parametrize(
    ("code", "frees"),
    [
        ("code-unknown", "map"),
        ("code-reference-missing", "map"),
        ("purged", "dismiss"),
        ("school-unknown", "put-right"),
        ("required-empty", "put-right"),
        (None, "put-right"),
    ],
)
def test_nobody_can_release_what_lacks_something(code: str | None, frees: Remedy) -> None:
    for action in ("add", "change", "void"):
        assert remedy(code, action, tells_action=True) == frees
        untold = (
            action != "add" and code != "purged"
        )  # once put right it would wait for the file to tell of it
        assert remedy(code, action, tells_action=False) == ("by-hand" if untold else frees)
