"""The ground that the faults of one test session share: a log in the session's broker, and the unbroken run over it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.faults.ground import PARTITIONS, Ground


@pytest.fixture(scope="session")
def ground(kafka: Any, tmp_path_factory: pytest.TempPathFactory) -> Ground:
    """A topic with drifting traffic on the session's broker."""
    topic = kafka.topic(partitions=PARTITIONS, prefix="faults")
    return Ground(kafka.bootstrap_servers, tmp_path_factory.mktemp("faults"), topic)
