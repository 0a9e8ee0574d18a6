"""`locust -f load_tests/locustfile.py`, as it is typed: its options, its ramp, and its exit status."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from starlette.responses import JSONResponse

from load_tests.photos import MOST, in_folder
from tests.app_server import serving
from tests.conftest import PROJECT
from tests.load_tests.service import app, interrupted, posts

DETECTING = {"detect", "embed", "compare", "detect-face", "extract-embedding", "compare-faces", "warm-up"}
"""Last parts of the addresses that users ask whose tasks are to detect or to embed."""

pytestmark = pytest.mark.usefixtures("sample_photos")


def locust(*options: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "locust", "-f", "load_tests/locustfile.py", "--headless", "--json", *options]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=60)


def test_a_run_with_a_few_failures_within_its_limits_ends_well() -> None:
    with serving(interrupted(app(), posts, JSONResponse({}, 503, {"Retry-After": "1"}))) as host:
        limits = ("--max-fail-ratio", "0.9", "--max-p95-ms", "60000", "--min-rps", "0.001")
        time = ("-t", "2s", "--think-time", "0.05", "0.1")
        # Most of the classes have no such task.
        ran = locust("--host", host, "-u", "8", "-r", "8", *time, "--tags", "detect", "embed", *limits)
    assert ran.returncode == 0, ran.stderr
    assert "limit broken" not in ran.stderr
    assert "No tasks defined" not in ran.stderr
    lines = json.loads(ran.stdout)
    assert {line["name"].split("/")[-1] for line in lines} <= DETECTING
    assert sum(line["num_failures"] for line in lines) == 1


def test_a_ramp_has_its_own_users_and_end_and_a_broken_limit_is_said() -> None:
    with serving(app()) as host:
        ramp = ("--ramp", "3:1.5,1:2.5", "--think-time", "0.05", "0.1")
        within = ("--max-fail-ratio", "0", "--max-p95-ms", "0.001", "--min-rps", "100000")
        ran = locust("--host", host, "OperatorUser", *ramp, "--max-avg-ms", "0.001", *within)
    assert ran.returncode == 1
    told = [line for line in ran.stderr.splitlines() if "Shape test updating" in line or "limit broken" in line]
    assert len(told) == 5
    assert told[0].endswith("updating to 3 users at 3.00 spawn rate")
    assert told[1].endswith("updating to 1 users at 3.00 spawn rate")
    assert "limit broken: --max-p95-ms 0.001: the 95th percentile was" in told[2]
    assert "limit broken: --max-avg-ms 0.001: the mean response time was" in told[3]
    assert "limit broken: --min-rps 100000: " in told[4]


def test_no_limit_holds_where_nothing_was_served(lone_port: int) -> None:
    ran = locust("--host", f"http://127.0.0.1:{lone_port}", "-t", "1s", "OperatorUser", "--max-p95-ms", "800")
    assert ran.returncode == 1
    assert "limit broken: no request was served" in ran.stderr


def test_an_option_that_makes_no_sense_is_refused(tmp_path: Path) -> None:
    (tmp_path / "one.jpg").touch()
    for options, said in (
        (("--ramp", "4:30,4:x"), "'4:30,4:x' is not users:seconds"),
        (("--photos", str(tmp_path)), f"{tmp_path} has 1 photos; at least two are needed"),
    ):
        ran = locust("--host", "http://127.0.0.1:9", "-t", "1s", *options)
        assert ran.returncode != 0
        assert said in ran.stderr


def test_of_very_many_photos_some_are_taken_from_everywhere(tmp_path: Path) -> None:
    for name in ("notes.txt", *(f"{number:04}.JPG" for number in range(3 * MOST))):
        (tmp_path / name).touch()
    names = [path.name for path in in_folder(tmp_path)]
    assert (len(set(names)), names[0], names[-1] >= f"{3 * MOST - 3:04}.JPG") == (MOST, "0000.JPG", True)
