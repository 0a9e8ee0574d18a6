"""`facegraph plan`."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from deployments.config import check_config
from project.root import ROOT
from tests.facegraph.cli import Run

BASES = ("autoscaling", "laptop", "node", "production", "serve", "simulated")


def made(run: Run, folder: Path, *words: str) -> tuple[str, Any]:
    """What the command prints and the configuration that it writes."""
    status, out, err = run("plan", *words, "--output", folder / "plan.yaml")
    assert (status, err) == (0, "")
    return out, yaml.safe_load((folder / "plan.yaml").read_text("utf-8"))


@pytest.mark.parametrize("base", BASES)
def test_the_configuration_can_be_served_and_has_the_planned_replicas(run: Run, tmp_path: Path, base: str) -> None:
    words = ("--rate", "60", "--mix", "match=3,search=1", "--node", "cpus=16,gpus=2")
    out, config = made(run, tmp_path, *words, "--config", str(ROOT / "configs" / f"{base}.yaml"))
    [args] = check_config(config)
    printed = {row[0]: row[1:5] for line in out.splitlines() if len(row := line.split()) == 6}
    for entry in config["applications"][0]["deployments"]:
        if entry["name"] != "gallery-writer":
            replicas = int(printed[entry["name"]][0])
            scaling = entry["autoscaling_config"]
            assert (scaling["min_replicas"], scaling["max_replicas"]) == (replicas, replicas)
    for role, stage in args.stages.items():
        if stage.place == "own":
            _, *shares = printed[stage.deployment(role)]
            assert list(map(float, shares)) == [stage.workers, stage.cpus, stage.gpus]
    assert "nodes: " in out


def test_every_time_on_a_gpu_is_assumed(run: Run, tmp_path: Path) -> None:
    words = ("--rate", "20", "--node")
    assert "assumed, not measured: the times of detector-mtcnn, " in made(run, tmp_path, *words, "cpus=8,gpus=1")[0]
    assert "assumed" not in made(run, tmp_path, *words, "cpus=8")[0]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("--rate 0", "--rate is 0"),
        ("--rate nan", "--rate is nan"),
        ("--rate 1 --mix walk=1", "unknown route walk; available: match, "),
        ("--rate 1 --mix match", "--mix: match is not NAME=NUMBER"),
        ("--rate 1 --mix match=-1", "--mix: match=-1 has a number that is negative or not finite"),
        ("--rate 1 --mix match=0", "--mix needs a share greater than 0"),
        ("--rate 1 --node cores=1", "--node has cpus and gpus, not cores"),
        ("--rate 1 --node gpus=1.5", "--node: 1.5 is not a whole number of GPUs"),
        ("--rate 1000 --mix enrol=1", "gallery-writer can have only one replica"),
        (f"--rate 1 --config {ROOT}/configs/production.yaml", "the configuration requires GPUs"),
    ],
)
def test_a_mistake_is_reported_in_one_sentence(run: Run, tmp_path: Path, words: str, problem: str) -> None:
    status, out, err = run("plan", *words.split(), "--output", tmp_path / "plan.yaml")
    assert (status, out, err.count("\n"), problem in err, list(tmp_path.iterdir())) == (1, "", 1, True, []), err


def test_only_an_earlier_plan_is_overwritten(run: Run, tmp_path: Path) -> None:
    for rate in ("1", "2"):
        made(run, tmp_path, "--rate", rate)
    (tmp_path / "plan.yaml").write_text("mine: 1\n", "utf-8")
    status, _, err = run("plan", "--rate", "1", "--output", tmp_path / "plan.yaml")
    assert status == 1
    assert "exists and was not written by this command" in err
    assert (tmp_path / "plan.yaml").read_text("utf-8") == "mine: 1\n"
