"""Asking a broker over Kafka's own protocol: does it answer, and make these topics.

Works on any broker, ours or the user's.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from kafka import KafkaAdminClient
from kafka.errors import KafkaError, TopicAlreadyExistsError

from pipelines.errors import TransientError


def answers(bootstrap_servers: str, timeout_seconds: float = 2.0) -> str | None:
    """Return the cluster id of the broker that answers there, or None.

    An open port is not enough: the broker must return its metadata with a live node in it.
    """
    if not _any_port_open(bootstrap_servers, timeout_seconds):
        return None
    try:
        with _admin(bootstrap_servers, timeout_seconds) as admin:
            cluster = admin.describe_cluster()
    except (KafkaError, OSError, ValueError):
        return None
    alive = [node for node in cluster.get("brokers", []) if not node.get("is_fenced")]
    return str(cluster["cluster_id"]) if alive else None


def create_topics(bootstrap_servers: str, partitions: Mapping[str, int], timeout_seconds: float = 30.0) -> list[str]:
    """Create the topics that are missing and return their names.

    Parameters
    ----------
    bootstrap_servers : str
        ``host:port[,host:port]``.
    partitions : Mapping[str, int]
        Partition count by topic name. A topic that exists is left as it is, whatever its count.

    Raises
    ------
    TransientError
        The broker does not answer or refuses.
    """
    todo = "check that the broker runs; "
    if not _any_port_open(bootstrap_servers, timeout_seconds):  # at once, where the client would go on trying
        raise TransientError("cannot create topics", bootstrap_servers, todo + "nothing listens there")
    created: list[str] = []
    try:
        with _admin(bootstrap_servers, timeout_seconds) as admin:
            for name in sorted(set(partitions) - set(admin.list_topics())):
                try:
                    topic: Any = {name: {"num_partitions": partitions[name]}}
                    admin.create_topics(topic, **WAIT)
                except TopicAlreadyExistsError:  # another process was first
                    continue
                created.append(name)
    except (KafkaError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise TransientError("cannot create topics", bootstrap_servers, todo + reason) from None
    return created


# Any and ** where kafka-python 3 takes more than the type stubs bundled with pyright know, which describe version 2.
WAIT: dict[str, Any] = {"wait_for_metadata": True}


@contextmanager
def _admin(bootstrap_servers: str, timeout_seconds: float) -> Iterator[KafkaAdminClient]:
    """Give an admin client whose failed connections stay out of the log: the caller reports them."""
    logger = logging.getLogger("kafka")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        milliseconds = max(500, int(timeout_seconds * 1000))
        timeouts: dict[str, Any] = {"request_timeout_ms": milliseconds, "bootstrap_timeout_ms": milliseconds}
        admin = KafkaAdminClient(
            bootstrap_servers=bootstrap_servers.split(","), client_id="plumbline-admin", **timeouts
        )
        try:
            yield admin
        finally:
            admin.close()
    finally:
        logger.setLevel(level)


def _any_port_open(bootstrap_servers: str, timeout_seconds: float) -> bool:
    for server in bootstrap_servers.split(","):
        host, _, port = server.strip().rpartition(":")
        try:
            with socket.create_connection((host.strip("[]") or "127.0.0.1", int(port)), timeout=timeout_seconds):
                return True
        except (OSError, ValueError, OverflowError):
            continue
    return False
