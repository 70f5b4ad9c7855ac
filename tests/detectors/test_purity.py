"""The package reads and writes nothing: no I/O library behind its imports, and kernels that are whole in one file."""

from __future__ import annotations

import ast
import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "detectors"
MODULES = sorted(PACKAGE.rglob("*.py"))
FORBIDDEN = {
    "aiohttp", "asyncio", "builtins.open", "dagster", "dash", "duckdb", "ftplib", "great_expectations", "http", "httpx",
    "io", "kafka", "multiprocessing", "os", "pathlib", "random", "requests", "secrets", "shutil", "smtplib", "socket",
    "sqlite3", "subprocess", "tempfile", "time", "urllib", "urllib3", "pipelines", "warehouse", "dashboards",
}  # fmt: skip

#: Modules of compiled functions that kernels elsewhere call, and their digest: they may not change, so caches can't be stale.
FROZEN = {
    "detectors.kernels.normal": "4073738f25acf9d3c5214d16a3724d7a63175d65aab0219e8f6292e713817adf",
    "detectors.kernels.short": "7888106badabbb88cf1a600b51bc52684a4e5ddf9a8cf9977b6255103fb64fa5",
}


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names.add((node.module or "").split(".")[0])
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_nothing_that_does_io(path: Path) -> None:
    assert not imported(path) & FORBIDDEN


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_calls_neither_open_nor_the_clock(path: Path) -> None:
    calls = {
        ast.unparse(node.func)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
    }
    assert not {name for name in calls if name in {"open", "print", "input"} or name.endswith((".now", ".today"))}


def test_the_package_brings_no_server_client_or_river_into_the_process() -> None:
    code = "import sys, detectors; print(sorted({name.split('.')[0] for name in sys.modules}))"
    loaded = ast.literal_eval(
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE.parent
        ).stdout
    )
    assert "detectors" in loaded
    assert not set(loaded) & {"duckdb", "kafka", "dagster", "requests", "dash", "river", "pipelines", "warehouse"}


def test_a_kernel_calls_no_compiled_function_of_another_module() -> None:
    """Numba's cache would not notice when that other module changes."""
    compiled: dict[str, set[str]] = {}
    for path in MODULES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        module = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
        compiled[module] = {
            node.name
            for node in tree.body
            if isinstance(node, ast.FunctionDef) and any(ast.unparse(d) == "compiled" for d in node.decorator_list)
        }
    assert sum(map(len, compiled.values())) >= 8
    assert not [name for name in FROZEN if not compiled.pop(name)]
    for path in MODULES:
        module = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
        if not compiled.get(module):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert not {alias.name for alias in node.names} & compiled.get(node.module or "", set())


def test_what_kernels_of_other_modules_call_never_changes() -> None:
    for module, digest in FROZEN.items():
        source = (PACKAGE.parent / module.replace(".", "/")).with_suffix(".py").read_bytes()
        assert hashlib.sha256(source).hexdigest() == digest, (
            f"{module} is frozen: give what you change another module's name"
        )
