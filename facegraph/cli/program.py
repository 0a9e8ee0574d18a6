"""The table of the commands, and the program around them."""

from importlib.metadata import version
from typing import Annotated

import typer
from typer.main import get_command

from facegraph.cli.lazy import Group, Part, group
from facegraph.cli.terminal import CommandError, end
from models.errors import ModelError

ONLINE = "Asks a running service (--url)"
BESIDE = "Reads the gallery's files (--uri); the service may run"
ALONE = "Writes the gallery's files (--uri); the service is stopped"

app = typer.Typer(cls=Group, no_args_is_help=True)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"facegraph {version('facegraph')}")
        raise typer.Exit


@app.callback()
def _program(
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and end.")
    ] = False,
) -> None:
    """Face detection, liveness, comparison and a searchable gallery, as a service that you run yourself."""


def program() -> Group:
    """The whole command."""
    models = {
        "pull": Part("facegraph.cli.models:pull_command"),
        "list": Part("facegraph.cli.models:list_command"),
        "verify": Part("facegraph.cli.models:verify_command"),
        "evaluate": Part("facegraph.cli.evaluation:evaluate"),
        "calibrate": Part("facegraph.cli.evaluation:calibrate"),
        "recall": Part("facegraph.cli.detection:recall_command"),
        "ranges": Part("facegraph.cli.ranges:ranges_command"),
        "fuse": Part("facegraph.cli.fusion:fuse_command"),
    }
    gallery = {
        "enrol": Part("facegraph.cli.enrol:enrol_command", ONLINE),
        "search": Part("facegraph.cli.gallery:search_command", ONLINE),
        "list": Part("facegraph.cli.gallery:list_command", ONLINE),
        "subjects": Part("facegraph.cli.gallery:subjects_command", ONLINE),
        "delete": Part("facegraph.cli.gallery:delete_command", ONLINE),
        "drop": Part("facegraph.cli.gallery:drop_command", ONLINE),
        "re-embed": Part("facegraph.cli.re_embed:re_embed_command", ONLINE),
        "export": Part("facegraph.cli.gallery_files:export_command", BESIDE),
        "backup": Part("facegraph.cli.gallery_files:backup_command", BESIDE),
        "import": Part("facegraph.cli.gallery_files:import_command", ALONE),
        "restore": Part("facegraph.cli.gallery_files:restore_command", ALONE),
        "clean": Part("facegraph.cli.gallery_files:clean_command", ALONE),
    }
    keys = {
        "create": Part("facegraph.cli.keys:create_command"),
        "list": Part("facegraph.cli.keys:list_command"),
        "revoke": Part("facegraph.cli.keys:revoke_command"),
    }
    config = {
        "check": Part("facegraph.cli.config:check_command"),
        "render": Part("facegraph.cli.config:render_command"),
    }
    root = get_command(app)
    assert isinstance(root, Group)
    return root.has(
        {
            "serve": Part("facegraph.cli.serve:serve_command"),
            "doctor": Part("facegraph.cli.doctor:doctor_command"),
            "config": group("Check a configuration, and show what is really served.", config),
            "models": group("Fetch, export, check and measure the networks.", models),
            "gallery": group("Enrol people and find them; copy, clean and bring back what is enrolled.", gallery),
            "keys": group("Make, list and revoke API keys.", keys),
            "bench": Part("facegraph.cli.bench:bench_command"),
        }
    )


def main() -> None:
    """Run the command; an operator's mistake ends it with one sentence and status 1."""
    try:
        program()()
    except (CommandError, ModelError, OSError) as error:
        end(str(error))
