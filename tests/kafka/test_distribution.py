"""Where Java and the jars come from, and the one line that says what is missing. No broker is started here."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipelines.broker import available, resolve
from pipelines.broker.configuration import server_properties
from pipelines.broker.distribution import pom_version
from pipelines.errors import TerminalError, TransientError


def _program(folder: Path, name: str, script: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def _java(folder: Path, version: str) -> None:
    _program(folder, "java", f"echo 'openjdk version \"{version}\" 2025-01-01' >&2")


@pytest.fixture
def machine(tmp_path: Path) -> dict[str, str]:
    """An environment with an empty PATH and an empty cache."""
    (tmp_path / "bin").mkdir()
    return {"PATH": str(tmp_path / "bin"), "XDG_CACHE_HOME": str(tmp_path / "cache"), "HOME": str(tmp_path)}


def _kafka_home(folder: Path, version: str) -> str:
    (folder / "libs").mkdir(parents=True)
    (folder / "libs" / f"kafka_2.13-{version}.jar").touch()
    return str(folder)


def test_without_java_it_says_so(machine) -> None:
    found = available(machine)
    assert not found.ok
    assert found.reason == "no Java (JAVA_HOME, then PATH): install Java 17 or newer, or set JAVA_HOME to one"


@pytest.mark.parametrize(("version", "shown"), [("11.0.2", "11"), ("1.8.0_402", "8")])
def test_an_old_java_is_named(machine, version: str, shown: str) -> None:
    _java(Path(machine["PATH"]), version)
    assert f"Java {shown} is too old" in available(machine).reason


@pytest.mark.parametrize("version", ["17.0.15", "21-ea", "25"])
def test_java_17_and_newer_will_do(machine, tmp_path: Path, version: str) -> None:
    _java(Path(machine["PATH"]), version)
    machine["KAFKA_HOME"] = _kafka_home(tmp_path / "kafka", "4.1.0")
    assert available(machine).how == f"Apache Kafka 4.1.0 (KAFKA_HOME, Java {version.split('.')[0].split('-')[0]})"
    assert resolve(machine).class_path == str(tmp_path / "kafka" / "libs" / "*")


def test_a_java_home_that_is_too_old_falls_back_to_path(machine, tmp_path: Path) -> None:
    _java(tmp_path / "old" / "bin", "11.0.2")
    _java(Path(machine["PATH"]), "17.0.1")
    machine["JAVA_HOME"] = str(tmp_path / "old")
    machine["KAFKA_HOME"] = _kafka_home(tmp_path / "kafka", "4.0.0")
    assert resolve(machine).java == Path(machine["PATH"]) / "java"


@pytest.mark.parametrize(("version", "said"), [("3.9.1", "Kafka 3.9.1 is too old"), (None, "no Kafka here")])
def test_a_kafka_home_without_kafka_4_is_refused(machine, tmp_path: Path, version: str | None, said: str) -> None:
    _java(Path(machine["PATH"]), "17")
    machine["KAFKA_HOME"] = _kafka_home(tmp_path / "kafka", version) if version else str(tmp_path / "nothing")
    assert said in available(machine).reason
    with pytest.raises(TerminalError, match="KAFKA_HOME"):
        resolve(machine)


def test_without_maven_and_jars_it_says_so(machine) -> None:
    _java(Path(machine["PATH"]), "17")
    assert available(machine).reason == "no Apache Kafka: install Maven (mvn), or set KAFKA_HOME to an unpacked Kafka 4"


def test_maven_that_fails_is_reported_in_one_line_and_leaves_nothing(machine, tmp_path: Path) -> None:
    _java(Path(machine["PATH"]), "17")
    _program(Path(machine["PATH"]), "mvn", "echo '[INFO] x'; echo '[ERROR] Could not transfer artifact'; exit 1")
    with pytest.raises(TransientError, match="Could not transfer artifact") as caught:
        resolve(machine)
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "cache" / "plumbline").iterdir()) == []


def test_what_maven_resolved_is_used_until_a_jar_is_gone(machine, tmp_path: Path) -> None:
    jars = [tmp_path / "one.jar", tmp_path / "two.jar"]
    for jar in jars:
        jar.touch()
    line = os.pathsep.join(map(str, jars))
    _java(Path(machine["PATH"]), "17")
    _program(
        Path(machine["PATH"]),
        "mvn",
        f'for a; do case $a in -Dmdep.outputFile=*) echo "{line}" >"${{a#*=}}";; esac; done; echo x >>{tmp_path}/calls',
    )
    said: list[str] = []
    assert resolve(machine, said.append).class_path == line
    assert resolve(machine, said.append).class_path == line
    assert len(said) == 1
    assert (tmp_path / "calls").read_text() == "x\n"
    jars[0].unlink()
    with pytest.raises(TransientError, match="Maven resolved no jars"):
        resolve(machine)


def test_the_pinned_kafka_is_a_version_4() -> None:
    assert pom_version().startswith("4.")


def test_paths_beyond_ascii_are_escaped_as_java_reads_them() -> None:
    text = server_properties(Path("/tmp/a b/é\\😀"), 1, 2, 4)
    assert "log.dirs=/tmp/a b/\\u00e9\\\\\\ud83d\\ude00\n" in text
    assert text.isascii()
