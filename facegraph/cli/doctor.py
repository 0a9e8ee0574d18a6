"""`facegraph doctor`."""

from collections.abc import Iterator
from pathlib import Path

import typer

from deployments.address import Address
from deployments.cluster import token_file
from deployments.config import check_config, read_config, rendered
from deployments.errors import ConfigError
from facegraph.cli.options import DEFAULT_CONFIG, DEFAULT_URL, ApiKeyOption, ConfigArgument, JsonOption, UrlOption
from facegraph.cli.output import command_errors, escaped, print_json, print_line
from facegraph.doctor import Finding, installation, machine, product, start
from gallery.location import Location
from project.root import ROOT

COLOURS = {"ok": "green", "warning": "yellow", "problem": "red"}


@command_errors(ValueError)
def doctor_command(
    config: ConfigArgument = DEFAULT_CONFIG,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check this machine and a configuration. The exit status is 1 if a problem prevents the service from working."""
    found = []
    for finding in _findings(config, url, api_key):
        found.append(finding)
        if not as_json:
            command = f"; try `{finding.command}`" if finding.command else ""
            print_line(f"[{COLOURS[finding.level]}]{finding.level:<8}[/] {escaped(finding.what + command)}")
    if as_json:
        print_json(found)
    if any(finding.level == "problem" for finding in found):
        raise typer.Exit(1)


def _findings(config: Path, url: str, api_key: str | None) -> Iterator[Finding]:
    yield installation.python()
    yield installation.packages(ROOT / "requirements.lock")
    yield installation.npm()
    yield installation.haproxy()
    yield machine.memory()
    yield machine.disk(ROOT)
    yield from start.machine()
    yield product.ray_token(token_file())
    health, running = product.service(url, api_key)
    yield health
    try:
        document = rendered(read_config(config))
        applications = check_config(document)
        address = Address.of(document)
    except ConfigError as error:
        what = f"{config} is invalid, so its settings were not checked: {error}"
        yield Finding("problem", what, "facegraph config check")
        return
    yield Finding("ok", f"{config} can be served")
    yield start.address(address, running)
    for args in applications:
        yield machine.cores(args)
        yield machine.gpu(args)
        yield from product.models(args)
        yield start.gallery(Location(args.gallery.uri, args.gallery.storage_options), running)
        yield product.keys(args.access)
        if file := args.access.rekognition_key_file:
            yield start.operator_key(file)
