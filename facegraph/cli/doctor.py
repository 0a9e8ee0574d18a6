"""`facegraph doctor`."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import typer

from deployments.address import Address
from deployments.cluster import token_file
from deployments.config import check, read, rendered
from deployments.errors import ConfigError
from facegraph.cli.options import DEFAULT_CONFIG, DEFAULT_URL, ApiKeyOption, ConfigArgument, JsonOption, UrlOption
from facegraph.cli.terminal import mistakes, say, say_json, shown
from facegraph.doctor import installation, machine, product, start
from facegraph.doctor.finding import Finding
from project.root import ROOT

COLOURS = {"ok": "green", "warning": "yellow", "problem": "red"}


@mistakes(ValueError)
def doctor_command(
    config: ConfigArgument = DEFAULT_CONFIG,
    url: UrlOption = DEFAULT_URL,
    api_key: ApiKeyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what is missing or odd on this machine, and what to type. The exit status is 1 if something cannot work."""
    found = []
    for finding in _findings(config, url, api_key):
        found.append(finding)
        if not as_json:
            command = f"; try `{finding.command}`" if finding.command else ""
            say(f"[{COLOURS[finding.level]}]{finding.level:<8}[/] {shown(finding.what + command)}")
    if as_json:
        say_json([asdict(finding) for finding in found])
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
    told, running = product.service(url, api_key)
    yield told
    try:
        document = rendered(read(config))
        applications = check(document)
        address = Address.of(document)
    except ConfigError as error:
        yield Finding(
            "problem",
            f"{config} cannot be served, so nothing that it names was looked at: {error}",
            "facegraph config check",
        )
        return
    yield Finding("ok", f"{config} can be served")
    yield start.address(address, running)
    for args in applications:
        yield machine.cores(args)
        yield machine.gpu(args)
        yield from product.models(args)
        yield start.gallery(args.gallery.uri, running)
        yield product.keys(args.access)
