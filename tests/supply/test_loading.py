"""No file that the project loads can run code: the calls in our own code are checked."""

import ast
from collections.abc import Iterator

import pytest

from tests.conftest import PROJECT

ROOMS = [init.parent for init in PROJECT.glob("*/__init__.py") if init.parent.name != "tests"]

FORBIDDEN = {
    *("pickle.load", "pickle.loads", "marshal.loads", "joblib.load", "torch.jit.load", "torch.hub.load"),
    *("keras.models.load_model", "yaml.load", "yaml.unsafe_load", "shutil.unpack_archive"),
}
"""Calls that may run code from a file, or write to a path that it names."""

METHODS = {"extract", "extractall"}
"""Methods of archives that write to paths that the archive names."""


def unsafe_calls(code: str) -> Iterator[str]:
    """The calls in `code` that a malicious file could exploit, with their lines."""
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


def test_project_makes_no_unsafe_call() -> None:
    files = [path for room in ROOMS for path in sorted(room.rglob("*.py"))]
    assert len(files) > 100
    found = [f"{path.relative_to(PROJECT)}:{call}" for path in files for call in unsafe_calls(path.read_text("utf-8"))]
    assert found == []


@pytest.mark.parametrize(
    ("call", "unsafe"),
    [
        ("torch.load(path)", True),
        ("torch.load(path, weights_only=False)", True),
        ("torch.load(path, weights_only=trusted)", True),
        ("pickle.loads(data)", True),
        ("np.load(path, allow_pickle=True)", True),
        ("archive.extractall(folder)", True),
        ("yaml.load(text, yaml.Loader)", True),
        ("torch.load(path, weights_only=True)", False),
        ("yaml.safe_load(text)", False),
        ("archive.extractfile(name)", False),
    ],
)
def test_unsafe_calls_are_recognised(call: str, unsafe: bool) -> None:
    assert list(unsafe_calls(f"found = {call}")) == [f"1: {call}"] * unsafe
