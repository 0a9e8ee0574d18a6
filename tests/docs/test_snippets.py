"""The runner of the documents' snippets: it runs what stands there, and tells where something fails."""

import shutil
from pathlib import Path

import pytest

from tests.docs.snippets import SnippetError, blocks, run

NOWHERE = "http://127.0.0.1:9"


def ran(folder: Path, text: str, *, files: dict[str, bytes | Path] | None = None) -> Path:
    """Run a document in a folder, which is returned."""
    document, work = folder / "made.md", folder / "work"
    document.write_text(text)
    work.mkdir()
    run(document, NOWHERE, work, files or {})
    return work


def fence(language: str, code: str, marker: str = "") -> str:
    return f"{marker}\n```{language}\n{code}\n```\n"


def test_blocks_share_a_folder_and_each_language_its_names(tmp_path: Path) -> None:
    work = ran(
        tmp_path,
        fence("bash", 'greet() { echo "hello $1"; }\nwhom=world')
        + fence("json", '{"not": "run"}')
        + fence("bash", 'greet "$whom" > said.txt')
        + fence("python", "from pathlib import Path\nsaid = Path('said.txt').read_text()")
        + fence("python", "Path('again.txt').write_text(said + said)"),
    )
    assert (work / "again.txt").read_text() == "hello world\n" * 2


def test_javascript_runs_in_node(tmp_path: Path) -> None:
    if shutil.which("node") is None:
        pytest.skip("node is not on this machine")
    code = 'import { writeFile } from "node:fs/promises";\nawait writeFile("said.txt", "http://localhost:8000/v1");'
    assert (ran(tmp_path, fence("javascript", code)) / "said.txt").read_text() == f"{NOWHERE}/v1"
    (tmp_path / "failing").mkdir()
    with pytest.raises(SnippetError, match=r"made.md:2: javascript failed\n(.|\n)*made for this"):
        ran(tmp_path / "failing", fence("javascript", 'throw new Error("made for this");'))


def test_the_services_address_stands_for_the_one_that_is_written(tmp_path: Path) -> None:
    work = ran(
        tmp_path,
        fence("bash", 'echo "localhost:8000 $FACEGRAPH_URL" > bash.txt')
        + fence("python", "import os\nopen('python.txt', 'w').write('localhost:8000 ' + os.environ['FACEGRAPH_URL'])"),
    )
    assert (work / "bash.txt").read_text().strip() == (work / "python.txt").read_text() == f"127.0.0.1:9 {NOWHERE}"


def test_given_files_lie_where_the_text_has_them(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"a photo")
    text = fence("bash", "cat face.jpg data/photos/a.jpg > both")
    work = ran(tmp_path, text, files={"face.jpg": b"a face, ", "data/photos": tmp_path / "photos"})
    assert (work / "both").read_bytes() == b"a face, a photo"


@pytest.mark.parametrize(
    ("language", "code", "said"),
    [
        ("bash", "echo one\nls nothing-here\necho two", "nothing-here"),
        ("bash", 'echo "$never_set"', "never_set"),
        ("bash", "false | true", ""),
        ("bash", "exit 0", ""),
        ("bash", "curl -sS localhost:8000", "127.0.0.1"),
        ("python", "x = 1\n\nassert x == 2", "line 8"),
    ],
)
def test_a_failure_is_told_with_its_place(tmp_path: Path, language: str, code: str, said: str) -> None:
    with pytest.raises(SnippetError) as raised:
        ran(tmp_path, "# Title\n" + fence("bash", "true").strip() + "\n" + fence(language, code)[1:])
    assert str(raised.value).startswith(f"made.md:5: {language} failed\n")
    assert said in str(raised.value)


def test_a_block_that_is_not_run_says_why(tmp_path: Path) -> None:
    work = ran(tmp_path, fence("bash", "touch ran", "<!-- not run: it takes an hour -->"))
    assert not (work / "ran").exists()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (fence("sh", "true"), "made.md:2: write bash for sh"),
        (fence("bash", "true", "<!-- not run -->"), "made.md:2: the marker"),
        (fence("bash", "true", "<!-- run: sometimes -->"), "made.md:2: the marker"),
        ("```bash\ntrue\n", "made.md:1: the block is not closed"),
    ],
)
def test_a_document_keeps_to_the_rules(tmp_path: Path, text: str, problem: str) -> None:
    (tmp_path / "made.md").write_text(text)
    with pytest.raises(SnippetError, match=problem):
        blocks(tmp_path / "made.md")


def test_a_block_in_a_list_and_one_in_a_longer_fence_are_read(tmp_path: Path) -> None:
    (tmp_path / "made.md").write_text(
        "- so:\n  ```bash\n  if true; then\n    true\n  fi\n  ```\n````text\n```bash\n````\n"
    )
    [block] = blocks(tmp_path / "made.md")
    assert (block.line, block.code) == (2, "if true; then\n  true\nfi")


def test_a_block_with_a_path_is_a_file_and_not_run(tmp_path: Path) -> None:
    text = fence("python made.py", "raise SystemExit('it was run')") + fence("bash", "cp made.py seen")
    assert "it was run" in (ran(tmp_path, text) / "seen").read_text()
