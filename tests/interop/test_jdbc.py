"""The SQL server, asked by Flight SQL's own JDBC driver, as the BI tools that run on Java have it: Maven brings the driver."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.warehouse.hostile import on_disk, write_small_lake
from tests.warehouse.test_flight import TOKEN, serving

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
DRIVER = "org.apache.arrow:flight-sql-jdbc-driver:18.3.0"
PROGRAM = Path(__file__).parent / "jdbc" / "Ask.java"
# What the driver's documentation asks for since Java 16.
OPENED = "--add-opens=java.base/java.nio=org.apache.arrow.memory.core,ALL-UNNAMED"


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not (ROOT / ".venv-interop" / ".ready").exists():
        pytest.skip("no .venv-interop: `make interop` makes it and runs these tests")
    if missing := [name for name in ("javac", "mvn") if shutil.which(name) is None]:
        pytest.skip(f"no {' and no '.join(missing)}: a JDK and Maven run the JDBC driver")
    folder = tmp_path_factory.mktemp("driver")
    command = [
        "mvn",
        "-B",
        "-C",
        "-q",
        "-ntp",
        "dependency:copy",
        f"-Dartifact={DRIVER}",
        f"-DoutputDirectory={folder}",
    ]
    subprocess.run(command, check=True, cwd=folder, timeout=300)
    return next(folder.glob("*.jar"))


def test_a_tool_on_java_browses_asks_and_cannot_write(driver: Path, tmp_path: Path) -> None:
    lake = tmp_path / "warehouse"
    write_small_lake(lake)
    before = on_disk(lake)
    with serving(lake) as server:
        done = subprocess.run(
            ["java", OPENED, "-cp", driver, PROGRAM, f"127.0.0.1:{server.port}", TOKEN],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    *told, refused = done.stdout.splitlines()
    assert told[:2] == ["product Plumbline", "table consumed_offsets TABLE"]
    assert [line for line in told if line.startswith("column")][:3] == [
        "column topic VARCHAR",
        "column partition INTEGER",
        "column next_offset BIGINT",
    ]
    assert told[-2:] == ["row t 151 11175.0", "prepared 11"]
    assert refused.startswith("refused") and "DELETE is not allowed" in refused
    assert on_disk(lake) == before
