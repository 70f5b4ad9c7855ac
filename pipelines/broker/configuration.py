"""What the broker is told: ``server.properties``, and the two Java command lines.

Pure text; :mod:`pipelines.broker.server` writes it and runs it.
"""

from __future__ import annotations

from pathlib import Path

from pipelines.broker.distribution import Distribution
from pipelines.broker.process import HOST

MESSAGE_BYTES = 16 * 1024 * 1024  # the Collector sends batches of up to several MiB, and 5 MB attributes are a test
LOG_CONFIGURATION = Path(__file__).with_name("log4j2.properties")


def server_properties(data: Path, port: int, controller_port: int, partitions: int) -> str:
    """Return the text of ``server.properties`` for one node that is broker and controller.

    Parameters
    ----------
    data : Path
        Absolute directory of the log segments.
    port, controller_port : int
        Loopback ports for clients and for the node's own KRaft controller.
    partitions : int
        Partition count of topics created on first use.
    """
    values = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "listeners": f"PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://{HOST}:{port}",
        "controller.listener.names": "CONTROLLER",
        "controller.quorum.voters": f"1@{HOST}:{controller_port}",
        "log.dirs": data,
        "auto.create.topics.enable": "true",
        "num.partitions": partitions,
        "default.replication.factor": 1,
        "message.max.bytes": MESSAGE_BYTES,
        "replica.fetch.max.bytes": MESSAGE_BYTES,
        # Replayed traffic carries record times of its own day: retention by time would delete a week-old demo.
        "log.retention.ms": -1,
        # One node: internal topics can have one replica, and need few partitions.
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 4,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "transaction.state.log.num.partitions": 2,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "share.coordinator.state.topic.num.partitions": 2,
        # After a kill the node waits out its own old session: 9 s by default, for the sake of slow networks.
        "broker.session.timeout.ms": 4000,
        "broker.heartbeat.interval.ms": 1000,
        # A lone consumer need not wait 3 s for company.
        "group.initial.rebalance.delay.ms": 0,
        # The default, 128 MB, is a sixth of the small heap.
        "log.cleaner.dedupe.buffer.size": 16 * 1024 * 1024,
    }
    return "".join(f"{key}={_escape(str(value))}\n" for key, value in values.items())


def format_command(distribution: Distribution, properties: Path, logs: Path, cluster_id: str) -> list[str]:
    """Return the command that prepares an empty data directory."""
    return [
        *_java(distribution, logs, "-Xmx256m"),
        "kafka.tools.StorageTool",
        "format",
        "--ignore-formatted",
        "--cluster-id",
        cluster_id,
        "--config",
        str(properties),
    ]


def broker_command(distribution: Distribution, properties: Path, logs: Path, heap_megabytes: int) -> list[str]:
    """Return the command that is the broker; ``properties`` in it tells this broker from any other process."""
    return [
        *_java(distribution, logs, f"-Xmx{heap_megabytes}m", "-XX:+ExitOnOutOfMemoryError"),
        "kafka.Kafka",
        str(properties),
    ]


def _java(distribution: Distribution, logs: Path, *options: str) -> list[str]:
    return [
        str(distribution.java),
        *options,
        "-XX:+UseSerialGC",  # a small heap beside the product's own work: no collector threads to compete with it
        "-XX:TieredStopAtLevel=1",  # starts in 3.8 s instead of 5.0 s on 2 cores, and leaves the cores to the product
        "-Djava.awt.headless=true",
        f"-Dlog4j2.configurationFile={LOG_CONFIGURATION.as_uri()}",
        f"-Dplumbline.broker.logs={logs}",
        "-cp",
        distribution.class_path,
    ]


def _escape(value: str) -> str:
    r"""Return a value as Java's ``.properties`` files spell it: ``\\`` doubled, ``\uXXXX`` beyond ASCII."""
    units = value.replace("\\", "\\\\").encode("utf-16-be")
    code_units = (int.from_bytes(units[at : at + 2], "big") for at in range(0, len(units), 2))
    return "".join(chr(unit) if 32 <= unit < 127 else f"\\u{unit:04x}" for unit in code_units)
