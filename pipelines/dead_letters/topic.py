"""The dead-letter topic: a copy of what could not be read, for those who watch it. The warehouse's table is the record."""

from __future__ import annotations

import polars as pl
from kafka import KafkaProducer
from kafka.errors import KafkaError

from pipelines.batch import header_text
from pipelines.errors import TransientError

_PATIENCE_SECONDS = 10.0


class DeadLetterTopic:
    """Copies unreadable messages to a topic.

    Parameters
    ----------
    producer : KafkaProducer
    topic : str

    Attributes
    ----------
    patience_seconds : float
        How long a broker may take to acknowledge them, in seconds.
    """

    def __init__(self, producer: KafkaProducer, topic: str) -> None:
        self._producer, self._topic = producer, topic
        self.patience_seconds = _PATIENCE_SECONDS

    def copy(self, dead_letters: pl.DataFrame) -> None:
        """Send unreadable messages with their original bytes and the reason. Losing the broker loses no dead letter.

        Raises
        ------
        TransientError
            The broker did not take them all; sent again, some arrive twice.
        """
        if dead_letters.is_empty():
            return
        try:
            for row in dead_letters.iter_rows(named=True):
                place = f"{row['topic']}[{row['partition']}]@{row['offset']}"
                headers = header_text(row["reason"], row["detail"], place)
                self._producer.send(self._topic, value=row["payload"], headers=headers)
            self._producer.flush(timeout=self.patience_seconds)
        except (KafkaError, OSError) as error:
            raise TransientError(
                f"Kafka did not take a dead letter ({type(error).__name__})",
                f"topic {self._topic}",
                "it is in table dead_letters; check the broker",
            ) from error
