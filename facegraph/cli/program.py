"""The table of all commands, and the entry point."""

from importlib.metadata import version
from typing import Annotated

import typer
from typer.main import get_command

from facegraph.cli.lazy import LazyCommand, LazyGroup
from facegraph.cli.output import CommandError, exit_with_error
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
    """The whole program."""
    root = get_command(app)
    assert isinstance(root, LazyGroup)
    commands = (
        LazyCommand("serve", "serve:serve_command"),
        LazyCommand("doctor", "doctor:doctor_command"),
        _group(
            "config",
            "Check a configuration and show the effective one.",
            LazyCommand("check", "config:check_command"),
            LazyCommand("render", "config:render_command"),
        ),
        _group(
            "models",
            "Fetch, export, check and measure models.",
            LazyCommand("pull", "models:pull_command"),
            LazyCommand("list", "models:list_command"),
            LazyCommand("verify", "models:verify_command"),
            LazyCommand("evaluate", "evaluation:evaluate_command"),
            LazyCommand("calibrate", "evaluation:calibrate_command"),
            LazyCommand("recall", "recall:recall_command"),
            LazyCommand("ranges", "ranges:ranges_command"),
            LazyCommand("fuse", "fuse:fuse_command"),
            LazyCommand("gate", "gate:gate_command"),
        ),
        _group(
            "gallery",
            "Enrol and find people; export, back up, restore and clean the gallery.",
            LazyCommand("enrol", "enrol:enrol_command", ONLINE),
            LazyCommand("search", "gallery:search_command", ONLINE),
            LazyCommand("list", "gallery:list_command", ONLINE),
            LazyCommand("subjects", "gallery:subjects_command", ONLINE),
            LazyCommand("delete", "gallery:delete_command", ONLINE),
            LazyCommand("drop", "gallery:drop_command", ONLINE),
            LazyCommand("re-embed", "re_embed:re_embed_command", ONLINE),
            LazyCommand("export", "gallery_files:export_command", READS_FILES),
            LazyCommand("backup", "gallery_files:backup_command", READS_FILES),
            LazyCommand("import", "gallery_files:import_command", WRITES_FILES),
            LazyCommand("restore", "gallery_files:restore_command", WRITES_FILES),
            LazyCommand("clean", "gallery_files:clean_command", WRITES_FILES),
        ),
        _group(
            "keys",
            "Create, list and revoke API keys.",
            LazyCommand("create", "keys:create_command"),
            LazyCommand("list", "keys:list_command"),
            LazyCommand("revoke", "keys:revoke_command"),
        ),
        LazyCommand("bench", "bench:bench_command"),
    )
    for command in commands:
        root.add_command(command)
    return root


def _group(name: str, summary: str, *commands: LazyCommand) -> LazyGroup:
    group = LazyGroup(name=name, help=summary, no_args_is_help=True)
    for command in commands:
        group.add_command(command)
    return group


def main() -> None:
    """Run the program. A user's mistake exits with one sentence and status 1."""
    try:
        program()()
    except (CommandError, ModelError, OSError) as error:
        exit_with_error(str(error))
