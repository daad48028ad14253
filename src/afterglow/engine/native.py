"""Turn LLVM IR into machine code for this processor, and keep the result on disk.

The cache is keyed by the IR, the processor and the LLVM version; a missing, stale or damaged entry is rebuilt silently.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

from llvmlite import binding as llvm

MODEL = ("init", "prepare", "outputs", "step", "dense")
_alive: list[llvm.ExecutionEngine] = []


def cache_folder() -> Path:
    """Where compiled models are kept: $AFTERGLOW_CACHE, else the user's cache folder."""
    chosen = os.environ.get("AFTERGLOW_CACHE")
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return (Path(base) if base else Path.home() / ".cache") / "afterglow"


@cache
def _machine() -> llvm.TargetMachine:
    with contextlib.suppress(RuntimeError):  # newer LLVM initialises itself and refuses this call
        llvm.initialize()
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_default_triple()
    name, features = processor()
    return target.create_target_machine(cpu=name, features=features, opt=3, jit=True)


def processor() -> tuple[str, str]:
    """Name and features to compile for: this machine's, or those of $AFTERGLOW_CPU (for instance x86-64-v3)."""
    chosen = os.environ.get("AFTERGLOW_CPU")
    if chosen:
        return chosen, ""
    features = ""
    with contextlib.suppress(RuntimeError):  # not known for every processor
        features = llvm.get_host_cpu_features().flatten()
    return llvm.get_host_cpu_name(), features


def _build(text: str) -> bytes:
    machine = _machine()
    module = llvm.parse_assembly(text)
    module.triple = machine.triple
    module.data_layout = str(machine.target_data)
    module.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    return machine.emit_object(module)


def _stored(path: Path) -> bytes | None:
    """The cached object, or None where it is missing or damaged."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    check, body = data[:32], data[32:]
    return body if hashlib.sha256(body).digest() == check else None


def recall(key: str) -> dict[str, Any] | None:
    """What was remembered under this key, on this machine, by any process."""
    body = _stored(cache_folder() / f"{key}.json")
    return None if body is None else json.loads(body)


def remember(key: str, facts: dict[str, Any]) -> None:
    """Keep plain data under a key."""
    _store(cache_folder() / f"{key}.json", json.dumps(facts).encode())


def _store(path: Path, body: bytes) -> None:
    with contextlib.suppress(OSError):  # a read-only home costs speed, nothing else
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as f:
            f.write(hashlib.sha256(body).digest() + body)
        Path(f.name).replace(path)


class Code(Protocol):
    """Code with a name: the same key, the same text."""

    @property
    def key(self) -> str: ...  # noqa: D102
    @property
    def text(self) -> str:
        """LLVM IR; asked for only where no machine code is stored."""
        ...


_loaded: dict[str, dict[str, int]] = {}
_loading = Lock()  # code is made once, also when two threads ask for it


def load(code: Code, functions: Sequence[str] = MODEL) -> dict[str, int]:
    """Addresses of the functions in `code`, compiled or taken from the cache."""
    with _loading:
        if code.key not in _loaded:
            _loaded[code.key] = _load(code, functions)
        return _loaded[code.key]


def _load(code: Code, functions: Sequence[str]) -> dict[str, int]:
    machine = _machine()
    identity = "\n".join((code.key, *processor(), str(llvm.llvm_version_info)))
    path = cache_folder() / f"{hashlib.sha256(identity.encode()).hexdigest()[:32]}.o"
    body = _stored(path)
    if body is None:
        body = _build(code.text)
        _store(path, body)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
    engine.add_object_file(llvm.ObjectFileRef.from_data(body))
    engine.finalize_object()
    _alive.append(engine)
    return {name: engine.get_function_address(name) for name in functions}
