import pytest

from npnet.errors import InputError
from npnet.table import table


def test_numbers_stand_to_the_right_and_text_to_the_left():
    assert table(["name", "count"], [["a", 5], ["long name", 12345]]).splitlines() == [
        "name         count",
        "──────────────────",
        "a                5",
        "long name   12 345",
    ]


def test_text_is_shown_as_it_is():
    assert "[red]x[/red]" in table(["c"], [["[red]x[/red]"]])


def test_a_table_without_rows_has_its_headings():
    assert "recipe" in table(["recipe"], [])


def test_long_text_stays_in_its_line():
    long = ("word " * 300).strip()
    assert table(["what"], [[long]]).splitlines()[-1] == long


def test_a_row_of_another_length_is_refused():
    with pytest.raises(InputError, match="must have 2 values, got 1"):
        table(["a", "b"], [["x"]])
