"""Distributions whose files are damaged: the others are found as if these were not there."""

from aletheia_plugins import load_plugins

CARDS = "from aletheia_plugins import hookimpl\n@hookimpl\ndef aletheia_cards():\n    return []\n"


def test_beside_a_damaged_distribution_the_first_of_a_name_still_counts(install):
    install("toy", "1.0", CARDS, plugins={"older": "toy"})
    second = install("to-y", "1.0", CARDS, module="newer", plugins={"newer": "newer"})
    info = (second / "to_y-1.0.dist-info").rename(second / "toy-2.0.dist-info")
    (info / "METADATA").write_text("Name: Toy\nVersion: 2.0\n")
    damaged = install("damaged")
    (damaged / "damaged-1.0.dist-info" / "entry_points.txt").write_text("[aletheia_bench]\ndamaged\n")
    found = {report.name: report.status for report in load_plugins().reports}
    assert (found["newer"], found["damaged"]) == ("active", "broken")
    assert "older" not in found
    assert "damaged" not in {report.name for report in load_plugins([]).reports}
