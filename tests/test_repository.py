"""Rules that hold for every file: what may import what, how long a module may be, and what no file may name."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("pipelines", "detectors", "warehouse", "dashboards")
MAY_IMPORT = {
    "pipelines": {"pipelines", "detectors", "warehouse", "dashboards"},  # dashboards: the commands that serve them
    "detectors": {"detectors"},
    "warehouse": {"warehouse"},
    "dashboards": {"dashboards", "warehouse"},
}
# A detector, or a formula of money, is arithmetic on what it was given: nothing that reads, writes, starts or waits.
IO_MODULES = {
    *("aiohttp", "asyncio", "builtins.open", "duckdb", "ftplib", "http", "httpx", "io", "logging", "multiprocessing"),
    *("os", "pathlib", "requests", "shutil", "socket", "sqlite3", "subprocess", "tempfile", "threading", "urllib"),
}
MODULE_LINES = 400


def _tracked() -> list[Path]:
    """Return the files in git, and the new ones that git does not ignore; without git, those of the packages."""
    try:
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
        files = [ROOT / name for name in listed if name]
    except (OSError, subprocess.CalledProcessError):
        files = [path for folder in (*PACKAGES, "tests", "docs") for path in (ROOT / folder).rglob("*")]
    return [path for path in files if path.is_file() and "__pycache__" not in path.parts]


def _texts() -> Iterator[tuple[Path, str]]:
    for path in _tracked():
        try:
            yield path.relative_to(ROOT), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def _modules(package: str) -> list[Path]:
    return [path for path in _tracked() if path.suffix == ".py" and path.relative_to(ROOT).parts[0] == package]


def _imports(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and full name of every module imported, wherever in the file it is."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            own = ".".join(path.relative_to(ROOT).parts[: -node.level]) if node.level else ""
            yield node.lineno, ".".join(filter(None, [own, node.module]))


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_import_only_what_lies_below_them(package: str) -> None:
    modules = _modules(package)
    assert modules, f"{package} has modules"
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in modules
        for line, name in _imports(path)
        if name.split(".")[0] in {*PACKAGES, "tests"} - MAY_IMPORT[package]
    ]
    assert not wrong


PUBLISHES = Path("pipelines/defs/reports.py")  # the job that writes the pages as files


def test_only_the_commands_of_pipelines_and_the_job_that_publishes_know_the_dashboards() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in _modules("pipelines")
        for line, name in _imports(path)
        if name.split(".")[0] == "dashboards"
        and path.relative_to(ROOT).parts[1] not in ("cli.py", "commands")
        and path.relative_to(ROOT) != PUBLISHES
    ]
    assert not wrong


@pytest.mark.parametrize("library", ["kafka", "dagster"])
def test_only_pipelines_imports_kafka_and_dagster(library: str) -> None:
    importers = {
        package
        for package in PACKAGES
        for path in _modules(package)
        for _, name in _imports(path)
        if name.split(".")[0] == library or name.startswith(f"{library}_")
    }
    assert importers <= {"pipelines"}


@pytest.mark.parametrize("package", ["detectors", "warehouse/economics"])
def test_arithmetic_is_pure(package: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in _modules(package)
        for line, name in _imports(path)
        if name.split(".")[0] in IO_MODULES
    ]
    calls = [
        f"{path.relative_to(ROOT)}:{node.lineno} calls {node.func.id}"
        for path in _modules(package)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("open", "print", "input")
    ]
    assert not wrong + calls


def test_modules_stay_short() -> None:
    long = {
        str(path): lines
        for path, text in _texts()
        if path.suffix == ".py" and (lines := text.count("\n")) > MODULE_LINES
    }
    assert not long, f"over {MODULE_LINES} lines: part them by idea"


def test_modules_say_where_they_stand() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in _modules(package)
        if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert not silent


def test_no_catch_all_modules() -> None:
    catch_alls = {"utils", "util", "helpers", "helper", "common", "misc", "manager"}
    named = [str(path.relative_to(ROOT)) for package in PACKAGES for path in _modules(package)]
    assert not [name for name in named if catch_alls & {part.removesuffix(".py") for part in name.split("/")}]


# Split in two, so that this file does not name what it forbids.
INDEX_HOSTS = (
    "pypi." + "org",
    "python" + "hosted",
    "repo.maven." + "apache",
    "repo1." + "maven",
    "registry." + "npmjs",
)
INDEX_OPTIONS = re.compile(r"^\s*(-i|--(extra-)?index-url|--find-links|-f|--trusted-host)[ =]", re.MULTILINE)
MACHINE_PATHS = re.compile(r"(?<![\w.])/(root|work)/|/(home|Users)/[a-z]")


def test_no_file_names_a_package_index() -> None:
    wrong = [f"{path}: {host}" for path, text in _texts() for host in INDEX_HOSTS if host in text]
    pins = [path for path, text in _texts() if path.name.startswith("requirements") and INDEX_OPTIONS.search(text)]
    assert not wrong + pins


def test_no_file_names_a_path_of_one_machine() -> None:
    wrong = [f"{path}: {match[0]!r}" for path, text in _texts() for match in MACHINE_PATHS.finditer(text)]
    assert not wrong


PINS = (
    "requirements.txt",
    "requirements-dev.txt",
    "requirements-interop.txt",
    "requirements-evidently.txt",
    "requirements-focus.txt",
)


@pytest.mark.parametrize("name", PINS)
def test_every_pin_is_exact_and_hashed(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    pins = [block for block in re.split(r"\n(?=\S)", text.strip()) if not block.startswith("#")]
    assert len(pins) > 30
    assert not [
        pin.split("\n")[0]
        for pin in pins
        if not re.match(r"[\w.-]+(\[[\w, -]+\])?==\S+[\s\S]*--hash=sha256:[0-9a-f]{64}", pin)
    ]


def test_development_pins_are_those_of_the_product_and_more() -> None:
    def pins(name: str) -> set[str]:
        return set(re.findall(r"(?m)^([\w., \[\]-]+==[^\s;]+)", (ROOT / name).read_text(encoding="utf-8")))

    assert pins("requirements.txt") < pins("requirements-dev.txt")


@pytest.mark.parametrize(
    ("file", "groups"),
    [
        ("requirements-dev.txt", ["dev"]),
        ("requirements-interop.txt", ["interop"]),
        ("requirements-evidently.txt", ["evidently"]),
        ("requirements-focus.txt", ["focus"]),
    ],
)
def test_direct_dependencies_are_pinned(file: str, groups: list[str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    pinned = set(re.findall(r"(?m)^([\w.-]+)", (ROOT / file).read_text(encoding="utf-8")))
    wanted = [line for group in groups for line in project["dependency-groups"][group]]
    if "dev" in groups:
        wanted += project["project"]["dependencies"]
    names = {re.split(r"[\[<>=~! ;]", line)[0].lower() for line in wanted}
    assert names <= pinned


def test_every_lint_exception_carries_its_reason() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    section = text[text.index("ignore = [") : text.index("[tool.ruff.lint.pydocstyle]")]
    codes = re.findall(r'(?m)^  "[A-Z]+\d*",(.*)$', section)
    assert len(codes) > 5
    assert all("#" in rest for rest in codes)


def _commands() -> list[tuple[str, str]]:
    """Return path and help text of every command and group of the command line."""
    import typer

    from pipelines.cli import app

    found: list[tuple[str, str]] = []

    def walk(command: object, path: str) -> None:
        found.append((path, str(getattr(command, "help", "") or "")))
        for name, child in (getattr(command, "commands", None) or {}).items():
            walk(child, f"{path} {name}")

    walk(typer.main.get_command(app), "plumbline")
    return found


def test_every_command_says_what_it_does() -> None:
    commands = dict(_commands())
    assert {"plumbline demo", "plumbline doctor", "plumbline broker start", "plumbline stream"} <= set(commands)
    assert not [path for path, text in commands.items() if len(text.strip()) < 10]


def test_the_readme_starts_with_the_two_commands() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for command in ("make demo", "make test"):
        assert re.search(rf"(?m)^\s*\$?\s*{command}\b", readme), f"{command} stands on a line of its own"
