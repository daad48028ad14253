"""Where a study runs: on the CPU, or on a GPU if there is one."""

from __future__ import annotations

from afterglow.errors import Fault, nearest

DEVICES = ("cpu", "cuda")


def device_faults(device: str) -> list[Fault]:
    """What is wrong with the name of a device."""
    known = device in DEVICES
    return [] if known else [Fault("--device", f"there is no device '{device}'", nearest(device, DEVICES))]


def usable(device: str) -> tuple[str, list[str]]:
    """The device to run on, and a warning where it is not the one asked for."""
    if device != "cuda":
        return device, []
    from afterglow.engine.nvidia import problem

    found = problem()
    return ("cuda", []) if found is None else ("cpu", [f"--device cuda: running on the CPU instead: {found}"])
