"""`afterglow serve` on the command line."""

from __future__ import annotations

import ipaddress
import shlex
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from afterglow.interfaces.options import guarded

if TYPE_CHECKING:
    from afterglow.errors import Fault

REMOTE = """\
This page can be reached from other machines, by anybody who has the token. The connection is not encrypted: the token
and what is asked can be read on the way. Put a proxy with TLS in front, or use an SSH tunnel. Do not type in anything
that tells who a person is."""


@guarded
def serve(
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port of the address.")] = 8765,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on; other than this machine's own needs --token.")
    ] = "127.0.0.1",
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in the browser.")] = True,
    token: Annotated[
        str | None, typer.Option("--token", help="Let in only who shows this token.", show_default=False)
    ] = None,
    workers: Annotated[int, typer.Option("--workers", min=1, max=64, help="Processes that draw curves.")] = 2,
    export: Annotated[
        Path | None,
        typer.Option("--export", help="Write a copy with precomputed answers for any file host.", show_default=False),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier copy.")] = False,
) -> None:
    """Open the page: change a course of treatment and watch the chain from dose to mood answer.

    Runs until Ctrl-C. Listens on this machine only, stores nothing, and asks nothing of other machines.
    With --export it writes a static copy instead, and ends.
    """
    from afterglow.errors import Fault, InputError

    faults = _option_faults(host, token)
    if force and export is None:
        faults.append(Fault("--force", "there is nothing to replace", "add --export DIR, or leave --force out"))
    if faults:
        raise InputError(faults)
    if export is not None:
        _export(export, force)
        return
    try:
        from afterglow.interfaces.web import pool

        pool.prepare()  # imports and compiles beside what follows
        import uvicorn

        from afterglow.interfaces.web.app import Settings, create
        from afterglow.interfaces.web.guard import Door
    except ImportError as error:
        raise InputError(_missing(error)) from None
    listening = _listen(host, port)
    name = f"[{host}]" if ":" in host else host
    address = f"http://{name}:{port}/" + (f"?token={token}" if token else "")
    app = create(Settings(Door(_names(host), token), workers))
    typer.echo(f"{address}\nNothing is stored. Ctrl-C ends it.")
    if not _is_loopback(host):
        typer.echo(REMOTE, err=True)
    if browser and sys.stdout.isatty():
        _open(address)
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=2, ws="none"
    )
    uvicorn.Server(config).run(sockets=[listening])


def _export(out: Path, force: bool) -> None:
    from afterglow.errors import InputError
    from afterglow.interfaces import terminal

    try:
        from afterglow.interfaces.web.export import export
    except ImportError as error:
        raise InputError(_missing(error)) from None
    with terminal.progress(lines=True) as tell:
        size = export(out, force=force, tell=tell)
    typer.echo(f"{out}: {size / 1e6:.1f} MB. To see it: python -m http.server --directory {shlex.quote(str(out))}")


def _missing(error: ImportError) -> Fault:
    from afterglow.errors import Fault

    return Fault("serve", f"needs {error.name}, which is not installed", 'pip install "afterglow[web]"')


def _option_faults(host: str, token: str | None) -> list[Fault]:
    from afterglow.errors import Fault

    faults = []
    if token is not None and len(token) < 8:
        faults.append(Fault("--token", "a token of fewer than 8 characters", "at least 8, not a word that one guesses"))
    if token is not None and not (token.isascii() and token.isprintable() and " " not in token):
        faults.append(Fault("--token", "characters that do not fit into an address", "letters, digits and -._~"))
    if token is None and not _is_loopback(host):
        problem = f"{host} can be reached from other machines"
        faults.append(Fault("--host", problem, "add --token SECRET, or leave --host out"))
    return faults


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _names(host: str) -> frozenset[str]:
    """Names by which the page may be called; any where it listens on every address, which needs a token."""
    if host in ("0.0.0.0", "::"):
        return frozenset()
    return frozenset({"localhost", "127.0.0.1", "[::1]", f"[{host}]" if ":" in host else host.lower()})


def _listen(host: str, port: int) -> socket.socket:
    """A socket on the address, or the reason why there is none."""
    from afterglow.errors import Fault, InputError

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=256)
    except OSError as error:
        remedy = "choose another with --port" if isinstance(error, OSError) and error.errno else "check --host"
        problem = f"cannot listen on {host} port {port}: {error.strerror or error}"
        raise InputError(Fault("--port", problem, remedy)) from None
    # asyncio does so only for sockets that name their protocol; without it an answer on a kept connection waits 40 ms
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def _open(address: str) -> None:
    """Open the browser when the server has had time to begin; the socket listens already."""
    import threading
    import webbrowser

    threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
