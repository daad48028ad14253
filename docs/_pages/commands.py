"""The reference of the command line: every command's own help."""

from __future__ import annotations

from _pages.markdown import code


def page() -> str:
    """The page, from the commands as they are."""
    from typer.main import get_command
    from typer.testing import CliRunner

    from afterglow.interfaces.cli import app

    def help_of(*words: str) -> str:
        return CliRunner().invoke(app, [*words, "--help"], prog_name="afterglow", terminal_width=90).output

    parts = ["# Command line\n", "Results go to files and a short table, progress and faults to the error stream."]
    parts += ["Exit codes: 0 fine, 1 failed, 2 bad input.\n", code(help_of())]
    for name, command in getattr(get_command(app), "commands", {}).items():
        parts += [f"## {name}\n", code(help_of(name))]
        for inner in getattr(command, "commands", {}):
            parts += [f"### {name} {inner}\n", code(help_of(name, inner))]
    return "\n".join(parts)
