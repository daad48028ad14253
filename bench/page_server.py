"""`afterglow serve` in a process of its own, the machine in words, and the memory of that process and its own."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

WORKERS = 2


@contextmanager
def serving(workers: int = WORKERS) -> Iterator[tuple[str, psutil.Process]]:
    """Address and process of a server that listens; ended on leaving."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "afterglow", "serve", "--port", str(port), "--no-browser"]
    with subprocess.Popen([*command, "--workers", str(workers)], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            address = server.stdout.readline().strip()
            yield address, psutil.Process(server.pid)
        finally:
            server.terminate()


def memory_mb(server: psutil.Process) -> float:
    """Proportional set size of a process and all under it: what they share counts once."""
    total = 0
    for one in (server, *server.children(recursive=True)):
        try:
            total += one.memory_full_info().pss
        except psutil.NoSuchProcess:
            continue
    return total / 1e6


def machine() -> dict[str, Any]:
    """The machine in words, and how busy it was with other things; nothing that says whose it is."""
    listed = Path("/proc/cpuinfo")
    names = [line for line in listed.read_text().splitlines() if "model name" in line] if listed.exists() else []
    packages = ("afterglow", "fastapi", "uvicorn", "playwright", "schemathesis")
    return {
        "cpu": names[0].split(":", 1)[1].strip() if names else platform.machine(),
        "cores": os.cpu_count(),
        "load_before": [round(one, 2) for one in os.getloadavg()],
        "platform": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in packages},
    }
