"""Where the broker's Java and jars come from: ``KAFKA_HOME``, or Maven and the package's ``pom.xml``.

Finds and resolves; starts no broker (that is :mod:`pipelines.broker.server`).
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import TerminalError, TransientError

JAVA_LEAST = 17  # Kafka 4's server classes are compiled for 17
KAFKA_LEAST = 4  # the first version without ZooKeeper: the configuration written here is KRaft only
POM = Path(__file__).with_name("pom.xml")
MAVEN_SECONDS = 900  # the first resolution fetches about 50 MB

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether a broker can be started here.

    Attributes
    ----------
    ok : bool
        True if Java and the jars, or a way to get them, are there.
    reason : str
        Why not; empty if ``ok``.
    how : str
        What would be started: ``Apache Kafka 4.4.0 (Maven, Java 17)``; empty unless ``ok``.
    """

    ok: bool
    reason: str
    how: str


@dataclass(frozen=True, slots=True)
class Distribution:
    """A Java and a class path that together are a broker.

    Attributes
    ----------
    java : Path
        The ``java`` executable.
    java_version : int
        Its feature version, 17 or more.
    class_path : str
        As ``java -cp`` takes it.
    version : str
        Version of Apache Kafka.
    """

    java: Path
    java_version: int
    class_path: str
    version: str


def available(environment: Mapping[str, str] | None = None) -> Availability:
    """Say whether a broker can be started, without fetching anything."""
    environment = os.environ if environment is None else environment
    try:
        _, java_version = _find_java(environment)
        if environment.get("KAFKA_HOME"):
            return Availability(
                True, "", f"Apache Kafka {_home_version(environment)} (KAFKA_HOME, Java {java_version})"
            )
        if _cached_class_path(environment) is None and _find_maven(environment) is None:
            raise TerminalError("no Apache Kafka", "", "install Maven (mvn), or set KAFKA_HOME to an unpacked Kafka 4")
    except TerminalError as error:
        return Availability(False, str(error), "")
    return Availability(True, "", f"Apache Kafka {pom_version()} (Maven, Java {java_version})")


def resolve(environment: Mapping[str, str] | None = None, progress: Progress = lambda line: None) -> Distribution:
    """Return a broker's Java and jars; the first time with Maven this fetches them.

    Raises
    ------
    TerminalError
        No Java of version 17 or more, ``KAFKA_HOME`` without a Kafka 4, no Maven.
    TransientError
        Maven could not resolve the jars: no network, or a repository that is down.
    """
    environment = os.environ if environment is None else environment
    java, java_version = _find_java(environment)
    if environment.get("KAFKA_HOME"):
        libraries = Path(environment["KAFKA_HOME"]).resolve() / "libs"
        return Distribution(java, java_version, f"{libraries}/*", _home_version(environment))
    class_path = _cached_class_path(environment) or _maven_class_path(environment, progress)
    return Distribution(java, java_version, class_path, pom_version())


def pom_version() -> str:
    """Return the version of Apache Kafka that ``pom.xml`` pins."""
    match = re.search(r"<kafka\.version>([^<]+)<", POM.read_text(encoding="utf-8"))
    assert match, "pom.xml states kafka.version"
    return match[1]


def _find_java(environment: Mapping[str, str]) -> tuple[Path, int]:
    """Return the first Java that is new enough: ``JAVA_HOME``'s, then that of ``PATH``."""
    candidates = [shutil.which("java", path=environment.get("PATH", ""))]
    if environment.get("JAVA_HOME"):
        candidates.insert(0, shutil.which("java", path=str(Path(environment["JAVA_HOME"]) / "bin")))
    newest = 0
    for candidate in filter(None, candidates):
        version = _java_version(candidate, environment)
        if version >= JAVA_LEAST:
            return Path(candidate), version
        newest = max(newest, version)
    found = f"Java {newest} is too old" if newest else "no Java"
    raise TerminalError(found, "JAVA_HOME, then PATH", f"install Java {JAVA_LEAST} or newer, or set JAVA_HOME to one")


def _java_version(java: str, environment: Mapping[str, str]) -> int:
    """Return the feature version a ``java`` reports (8 for ``1.8.0_402``), or 0 for one that does not run."""
    try:
        done = subprocess.run(
            [java, "-version"], capture_output=True, text=True, timeout=30, env=dict(environment), check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return 0
    match = re.search(r'version "(?:1\.)?(\d+)', done.stderr + done.stdout)
    return int(match[1]) if match else 0


def _home_version(environment: Mapping[str, str]) -> str:
    """Return the version of the Kafka in ``KAFKA_HOME``, read off its server jar's name."""
    where = f"KAFKA_HOME={environment['KAFKA_HOME']}"
    for jar in sorted((Path(environment["KAFKA_HOME"]) / "libs").glob("kafka_2.1*.jar")):
        match = re.fullmatch(r"kafka_2\.1\d-(\d+)((?:\.\d+)+)\.jar", jar.name)
        if match:
            if int(match[1]) < KAFKA_LEAST:
                raise TerminalError(f"Kafka {match[1]}{match[2]} is too old", where, "point it at Kafka 4 or unset it")
            return match[1] + match[2]
    raise TerminalError("no Kafka here", where, "point it at an unpacked Kafka 4 (libs/kafka_2.13-4…jar), or unset it")


def _find_maven(environment: Mapping[str, str]) -> str | None:
    return shutil.which("mvn", path=environment.get("PATH", ""))


def _class_path_file(environment: Mapping[str, str]) -> Path:
    """Return where the resolved class path is kept: one file per content of ``pom.xml``."""
    base = environment.get("XDG_CACHE_HOME") or str(Path(environment.get("HOME") or "~").expanduser() / ".cache")
    key = hashlib.sha256(POM.read_bytes()).hexdigest()[:12]
    return Path(base) / "plumbline" / f"kafka-{pom_version()}-{key}.classpath"


def _cached_class_path(environment: Mapping[str, str]) -> str | None:
    """Return the class path resolved earlier, or None where a jar of it is gone."""
    try:
        class_path = _class_path_file(environment).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return None
    jars = class_path.split(os.pathsep)
    return class_path if len(jars) > 1 and all(Path(jar).is_file() for jar in jars) else None


def _maven_class_path(environment: Mapping[str, str], progress: Progress) -> str:
    """Let Maven resolve ``pom.xml`` into its local repository, and remember the class path."""
    maven = _find_maven(environment)
    if maven is None:
        raise TerminalError("no Apache Kafka", "", "install Maven (mvn), or set KAFKA_HOME to an unpacked Kafka 4")
    progress(f"Resolving Apache Kafka {pom_version()} with Maven (the first time only, about 50 MB)")
    target = _class_path_file(environment)
    partial = target.with_name(f"{target.name}.{os.getpid()}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # -C: a jar whose checksum does not match fails the build instead of warning
        command = [maven, "-B", "-C", "-ntp", "-Dstyle.color=never", "-f", str(POM), "dependency:build-classpath"]
        done = subprocess.run(
            [*command, f"-Dmdep.outputFile={partial}"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=MAVEN_SECONDS,
            env=dict(environment),
            check=False,
        )
        if done.returncode != 0:
            lines = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("[ERROR]")]
            reason = lines[0].removeprefix("[ERROR]").strip()[:300] if lines else f"exit {done.returncode}"
            raise TransientError("Maven could not resolve Kafka", str(POM), f"check the network, try again; {reason}")
        partial.replace(target)
    except subprocess.TimeoutExpired:
        raise TransientError("Maven did not finish", f"{MAVEN_SECONDS} s", "check the network and try again") from None
    except OSError as error:
        raise TerminalError("cannot keep the class path", str(target), f"make it writable ({error.strerror})") from None
    finally:
        partial.unlink(missing_ok=True)
    class_path = _cached_class_path(environment)
    if class_path is None:
        raise TransientError("Maven resolved no jars", str(target), "try again; `mvn -v` should print a version")
    return class_path
