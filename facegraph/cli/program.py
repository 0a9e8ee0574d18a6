"""The table of all commands, and the entry point."""

from importlib.metadata import version
from typing import Annotated

import typer
from typer.main import get_command

from facegraph.cli.lazy import LazyGroup
from facegraph.cli.output import CommandError, exit_with_error, message_of
from models.errors import ModelError

ONLINE = "Uses a running service (--url)"
READS_FILES = "Reads the gallery's files (--uri), even while the service runs"
WRITES_FILES = "Writes the gallery's files (--uri) while the service is stopped"

app = typer.Typer(cls=LazyGroup, no_args_is_help=True)


def _version(requested: bool) -> None:
    if requested:
        typer.echo(f"facegraph {version('facegraph')}")
        raise typer.Exit


@app.callback()
def _program(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Face detection, liveness, comparison and a searchable gallery, as a service that you run yourself."""


def program() -> LazyGroup:
    """Return the program with all its commands."""
    root = get_command(app)
    assert isinstance(root, LazyGroup)
    root.add("serve", "serve")
    root.add("doctor", "doctor")
    root.group("config", "Check a configuration and show the effective one.").add("config", "check", "render")
    models = root.group("models", "Fetch, export, check and measure models.")
    models.add("models", "pull", "list", "verify")
    models.add("evaluation", "evaluate", "calibrate")
    for name in ("recall", "ranges", "fuse", "gate", "scale"):
        models.add(name, name)
    gallery = root.group("gallery", "Enrol and find people; export, back up, restore and clean the gallery.")
    gallery.add("enrol", "enrol", panel=ONLINE)
    gallery.add("gallery", "search", "list", "subjects", "delete", "drop", panel=ONLINE)
    gallery.add("subject", "verify", "rename", "merge", "metadata", panel=ONLINE)
    gallery.add("re_embed", "re-embed", panel=ONLINE)
    gallery.add("import_faces", "import", panel=ONLINE)
    gallery.add("gallery_files", "export", "backup", panel=READS_FILES)
    gallery.add("gallery_files", "restore", "clean", panel=WRITES_FILES)
    root.group("keys", "Create, list and revoke API keys.").add("keys", "create", "list", "revoke")
    root.add("compare", "compare")
    root.add("bench", "bench")
    root.add("plan", "plan")
    return root


def main() -> None:
    """Run the program. A user's mistake exits with one sentence and status 1."""
    try:
        program()()
    except (CommandError, ModelError, OSError) as error:
        exit_with_error(message_of(error))
