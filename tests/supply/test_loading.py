"""Nothing that is loaded can run code that stands in it: every call in this project's own code is looked at."""

import ast
from collections.abc import Iterator

import pytest

from tests.conftest import PROJECT

ROOMS = (
    "access",
    "api",
    "deployments",
    "gallery",
    "graphs",
    "imaging",
    "load_tests",
    "models",
    "project",
    "supply",
    "telemetry",
)

FORBIDDEN = {
    "pickle.load",
    "pickle.loads",
    "joblib.load",
    "torch.jit.load",
    "torch.hub.load",
    "keras.models.load_model",
    "yaml.load",
    "yaml.unsafe_load",
    "shutil.unpack_archive",
    "marshal.loads",
}
"""Calls that may run what a file says, or write where it says."""

METHODS = {"extract", "extractall"}
"""Of archives: they write to paths that the archive names."""


def problems(code: str) -> Iterator[str]:
    """What of `code` loads in a way that its file could abuse."""
    for node in ast.walk(ast.parse(code)):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        options = {word.arg: ast.unparse(word.value) for word in node.keywords}
        if (
            called in FORBIDDEN
            or called.rpartition(".")[2] in METHODS
            or (called == "torch.load" and options.get("weights_only") != "True")
            or (called.rpartition(".")[2] == "load" and "allow_pickle" in options)
        ):
            yield f"{node.lineno}: {ast.unparse(node)}"


@pytest.mark.parametrize("room", [room for room in ROOMS if (PROJECT / room).is_dir()])
def test_nothing_of_the_project_loads_code(room: str) -> None:
    files = sorted((PROJECT / room).rglob("*.py"))
    assert files
    found = [f"{path.relative_to(PROJECT)}:{line}" for path in files for line in problems(path.read_text("utf-8"))]
    assert found == []


def test_torch_files_are_loaded_at_all() -> None:
    """Otherwise the test above proves nothing of them."""
    sources = [path.read_text("utf-8") for path in (PROJECT / "models" / "architectures").glob("*.py")]
    assert sum(source.count("torch.load(") for source in sources) >= 4


@pytest.mark.parametrize(
    "call",
    [
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "torch.load(path, weights_only=trusted)",
        "pickle.loads(data)",
        "np.load(path, allow_pickle=True)",
        "archive.extractall(folder)",
        "yaml.load(text, yaml.Loader)",
    ],
)
def test_a_careless_call_is_seen(call: str) -> None:
    assert list(problems(f"found = {call}")) == [f"1: {call}"]


def test_a_careful_call_passes() -> None:
    code = "torch.load(path, weights_only=True)\nyaml.safe_load(text)\njson.loads(text)\narchive.extractfile(name)"
    assert list(problems(code)) == []
