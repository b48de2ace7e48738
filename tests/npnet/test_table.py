from xml.etree import ElementTree as ET

import pytest

from npnet.errors import InputError
from npnet.table import html_table, table


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


def test_html_has_the_same_cells_and_escapes_them():
    drawn = html_table(["a<b", "n"], [["x & y", 1234]], title="<title>", footer=["all", 1234])
    root = ET.fromstring(drawn.replace("scope=", "data-scope="))
    assert [cell.text for cell in root.iter("th")] == ["a<b", "n"]
    assert [cell.text for cell in root.iter("td")] == ["x & y", "1 234", "all", "1 234"]
    assert root.find("caption").text == "<title>"


def test_html_refuses_a_row_of_another_length():
    with pytest.raises(InputError, match="must have 1 value, got 2"):
        html_table(["a"], [["x", "y"]])
