"""Which integers this machine's CPU adds exactly."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from models import cpu


@pytest.fixture(autouse=True)
def _asked_anew() -> Iterator[None]:
    cpu.adds_exactly.cache_clear()
    yield
    cpu.adds_exactly.cache_clear()


@pytest.mark.parametrize(
    ("machine", "flags", "exact"),
    [
        ("x86_64", "fpu sse2 avx2", False),
        ("x86_64", "fpu avx2 avx512f avx512_vnni", True),
        ("AMD64", "fpu avx2 avx_vnni", True),
        ("x86_64", "fpu avx2 not_avx_vnni", False),
        ("aarch64", "", True),
    ],
)
def test_an_x86_cpu_adds_exactly_with_vnni_alone(
    machine: str, flags: str, exact: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told = tmp_path / "cpuinfo"
    told.write_text(f"processor\t: 0\nmodel name\t: Some CPU\nflags\t\t: {flags}\n\nprocessor\t: 1\n")
    monkeypatch.setattr(cpu, "INFORMATION", told)
    monkeypatch.setattr("platform.machine", lambda: machine)
    assert cpu.adds_exactly() is exact


def test_an_x86_cpu_that_nothing_is_known_of_is_not_trusted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cpu, "INFORMATION", tmp_path / "nothing")
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    assert not cpu.adds_exactly()
