"""A real single-node Apache Kafka on loopback, for development, the demo and the tests.

It stands before the flow: :mod:`pipelines.sources` reads from whatever broker ``bootstrap_servers`` names, and this
package only provides one where the user has none. Production brings its own; nothing here is needed then.
"""

from pipelines.broker.distribution import Availability, Distribution, available, resolve
from pipelines.broker.server import Broker, BrokerStatus
from pipelines.broker.topics import answers, create_topics

__all__ = ["Availability", "Broker", "BrokerStatus", "Distribution", "answers", "available", "create_topics", "resolve"]
