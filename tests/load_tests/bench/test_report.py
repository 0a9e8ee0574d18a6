"""The tables and the picture."""

from pathlib import Path

import PIL.Image
from rich.table import Table

from load_tests.bench.plot import draw
from load_tests.bench.ratios import Ratio
from load_tests.bench.report import compared, measured, overloaded, steps
from tests.load_tests.bench.made import made

SERVICE_STEPS = {"client": 210.0, "http": 5.0, "total": 205.0, "ingress": 2.5, "detector": 90.0, "detector-hop": 3.0}
BARE_STEPS = {"total": 180.0, "decode": 8.25, "compare": 0.2}

MEASUREMENTS = [
    made("bare", "mediapipe", 1, rate=6.0, steps=BARE_STEPS),
    made("bare", "mediapipe", 2, rate=10.0, steps=BARE_STEPS),
    made("plain", "compare", 1, rate=1.5),
    made("service", "mediapipe", 1, rate=4.0, steps=SERVICE_STEPS, replicas=(7, 7)),
    made("service", "mediapipe", 2, rate=5.0, p50=321.0),
    made("service", "mediapipe", 4, rate=7.5, refused=3, steps={"client": 512.0}, replicas=(7, 8)),
    made("overload", "mediapipe", 96, rate=6.0, answers=60, refused=30, failed=10),
]


def rows_of(table: Table) -> dict[str, list[str]]:
    """The cells of each row by its first one; the last row of those that begin alike."""
    columns = ([str(column.header), *map(str, column.cells)] for column in table.columns)
    return {first.strip(): rest for first, *rest in zip(*columns, strict=True)}


def test_a_routes_rows_have_its_own_measurements_and_the_plain_services() -> None:
    rows = rows_of(measured(MEASUREMENTS, "mediapipe"))
    assert rows["bare, 2 processes"][:2] == ["10.00", "100%"]
    assert rows["service, 1 client"][:3] == ["4.00", "40%", "500"]
    assert rows["service, 4 clients"][-3:] == ["3", "0", "7 to 8"]
    assert rows["plain, 1 client"][:2] == ["1.50", "15%"]
    assert not [name for name in rows if name.startswith("overload")]


def test_steps_stand_side_by_side() -> None:
    rows = rows_of(steps(MEASUREMENTS, "mediapipe"))
    assert rows["ms"] == ["bare, 1 process", "bare, 2 processes", "service, 1 client", "service, 4 clients"]
    assert rows["the answer, as the client sees it"] == ["", "", "210.0", "512.0"]
    assert rows["decode"] == ["8.2", "8.2", "", ""]
    assert "liveness, from call to answer" not in rows


def test_ratios_have_their_spread() -> None:
    rows = rows_of(compared([Ratio("match", "rate, service / bare", (0.9, 0.8, 0.95))]))
    assert rows["match: rate, service / bare"] == ["0.9", "0.8", "0.95"]


def test_an_overload_is_told_in_shares() -> None:
    rows = rows_of(overloaded(MEASUREMENTS[-1], MEASUREMENTS[-2]))
    assert rows["96"] == ["60.0%", "30.0%", "10.0%", "6.00", "80%", "600"]


def test_the_picture_has_a_column_a_route(tmp_path: Path) -> None:
    more = [made("service", "match", 1), made("service", "match", 2)]
    draw(MEASUREMENTS, ["mediapipe"], tmp_path / "one.png")
    draw([*MEASUREMENTS, *more], ["match", "mediapipe"], tmp_path / "two.png")
    one, two = (PIL.Image.open(tmp_path / name) for name in ("one.png", "two.png"))
    assert two.size == (2 * one.width, one.height)
    assert len(set(one.convert("RGB").get_flattened_data())) > 20
