"""A user's mistake is reported in one sentence on stderr, or as a usage error with an explanation."""

from pathlib import Path

import pytest

from facegraph.cli.options import DEFAULT_CONFIG
from tests.facegraph.cli import Run

INVALID = {
    "unknown.yaml": "applications: [{import_path: x, rout_prefix: /}]",
    "broken.yaml": "[",
    "twice.yaml": "stages: {arcface: 1, arcface: 2}",
    "many.yaml": DEFAULT_CONFIG.read_text("utf-8").replace("user_config: {}", "user_config: {enrol_max_yaw: many}"),
    "a.jpg": "no photo",
    "keys.json": "{",
}
"""Files in the folder from which the commands run."""


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("config check unknown.yaml", "unknown.yaml cannot be served: "),
        ("config render broken.yaml", "broken.yaml cannot be served: "),
        ("config check twice.yaml", "twice.yaml cannot be served: arcface is repeated"),
        ("config check none.yaml", "none.yaml cannot be served: it cannot be read: No such file"),
        *((f"keys {each}", "keys.json cannot be read: ") for each in ("list", "create x --scope read", "revoke x")),
        ("gallery enrol . --collection staff", "has no folder with photos"),
        ("models pull [bold]", "unknown model '[bold]'"),
        ("models evaluate mtcnn --photos .", "mtcnn is neither an embedder nor a liveness model"),
        ("models evaluate crmnet --photos . --protocol lfw", "the protocol lfw is for embedders"),
        (f"models evaluate crmnet --photos . --groups {DEFAULT_CONFIG}", "group false match rates need one"),
        ("models calibrate mobilefacenet --photos .", "mobilefacenet requires one rate above 0: --fmr"),
        ("models calibrate mobilefacenet --photos . --apcer 0.1", "mobilefacenet requires one rate above 0: --fmr"),
        ("models calibrate crmnet --photos . --apcer 0", "requires one rate above 0: --apcer or --bpcer"),
        ("models calibrate crmnet --photos . --apcer 0.1 --bpcer 0.1", "requires one rate above 0: --apcer or --bpcer"),
        (
            f"models calibrate facenet512 --photos . --fmr 0.1 --write {DEFAULT_CONFIG}",
            "has no stage with facenet512, so no threshold can be written",
        ),
        ("models fuse mobilefacenet --photos .", "mobilefacenet is not a liveness model"),
        ("models gate --photos . --config many.yaml", "many.yaml is not valid: enrol_max_yaw: Input should be a valid"),
        ("models ranges mobilefacenet --photos .", "mobilefacenet has no int8 file"),
        ("models ranges facenet --photos .", "no face was found in the photos in ."),
        (
            "models ranges facenet --photos . --store none",
            "embedder.onnx is missing: remove int8 from the card of facenet, pull it",
        ),
    ],
)
def test_a_mistake_is_reported_in_one_sentence(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str, message: str
) -> None:
    for name, text in INVALID.items():
        (tmp_path / name).write_text(text, "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KEYS_FILE", str(tmp_path / "keys.json"))
    status, out, err = run(*words.split())
    assert (status, out, err.count("\n"), "\\n" in err, message in err) == (1, "", 1, False, True), err


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ("gallery list --uri x", "--uri requires --offline"),
        ("gallery delete x --collection staff --storage-option a=b", "--storage-option requires --offline"),
        ("gallery list --offline --url http://x", "--url has no effect with --offline"),
        ("gallery list --offline --storage-option region", "region is not KEY=VALUE"),
        ("gallery enrol . --collection staff --report x.txt", "must end in .csv or .json"),
        ("gallery enrol . --collection staff --report none/x.csv", "there is no folder none"),
        ("gallery re-embed . --from staff --to staff", "--from and --to are the same collection"),
        ("models recall mtcnn --photos . --option x=[", "[ is not YAML"),
        ("keys create x", "Missing option '--scope'"),
        ("keys create x --scope root", "unknown scope root"),
        ("keys create x --scope read --collection -staff", "-staff is not the name of a collection: 1 to 64 ASCII"),
        *((f"keys create x --scope read --expires {each}", f"{each} is not a number of hours") for each in ("x", "0d")),
    ],
)
def test_an_unusable_option_is_a_usage_error(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str, problem: str
) -> None:
    monkeypatch.setenv("KEYS_FILE", str(tmp_path / "keys.json"))
    status, out, err = run(*words.split())
    assert (status, out, problem in err) == (2, "", True), err
