"""Foreign text on its way to a person: nothing commands a terminal, turns the order round or hides."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.shown import mask_passwords, plain


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("\x1b[31m", "\\x1b[31m"),
        ("\x9b31m", "\\x9b31m"),
        ("a\u202eb\u2066c\u2069", "a\\u202eb\\u2066c\\u2069"),
        ("\u200e\u200f\u061c", "\\u200e\\u200f\\u061c"),
        ("a\u200bb\u2060\ufeff\u00ad", "a\\u200bb\\u2060\\ufeff\\xad"),
        ("\u2028\u2029\x85", "\\u2028\\u2029\\x85"),
        ("\u3164\ue000\U000e0041", "\\u3164\\ue000\\U000e0041"),
        ("Zoë Núñez 李 Kalani\u02bbōpu\u02bbu a\u00a0b", "Zoë Núñez 李 Kalani\u02bbōpu\u02bbu a\u00a0b"),
    ],
)
def test_what_cannot_be_seen_is_written_out_and_names_stay_what_they_are(given: str, shown: str) -> None:
    assert plain(given) == shown


@given(st.text())
def test_whatever_the_text_is_nothing_unseen_is_left_of_it(text: str) -> None:
    left = {unicodedata.category(char) for char in plain(text)}
    assert not left & {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
    assert plain(plain(text)) == plain(text)


def test_a_line_break_is_kept_where_it_is_ours() -> None:
    assert plain("a\nb\x1b", keep="\n") == "a\nb\\x1b"


@pytest.mark.parametrize("password", ["p@ss", "p/w", "p/w@x", "p#?w", "p:w", "%40", "p'w"])
def test_no_character_of_a_password_is_left_even_if_nobody_escaped_it(password: str) -> None:
    assert mask_passwords(f"at postgresql://me:{password}@db.example/tardies now") == (
        "at postgresql://me:***@db.example/tardies now"
    )
