"""A Kafka cluster that nobody here wrote: librdkafka's mock, with topics, data and a group.

usage: kafka.py ADDRESS_FILE

Writes the brokers' addresses (`host:port,host:port,…`) to ADDRESS_FILE once there is something
to collect, then goes on producing and committing until it is killed.

What this mock lacks, and a collector must live with: ApiVersions above v2, ListGroups,
DescribeGroups, DescribeConfigs, DescribeCluster, DescribeLogDirs; its controller id names none
of its brokers; OffsetFetch answers only for partitions that are named.
"""

import os
import sys
import time

from confluent_kafka import Consumer, KafkaException, Producer

BROKERS = 3
TOPICS = ["orders", "payments"]
GROUP = "billing"


def start_cluster():
    """The cluster lives in this producer; its addresses are in the metadata."""
    producer = Producer({"test.mock.num.brokers": BROKERS, "linger.ms": 5})
    for topic in TOPICS:
        producer.list_topics(topic, timeout=10)
    brokers = producer.list_topics(timeout=10).brokers.values()
    addresses = [f"{b.host}:{b.port}" for b in sorted(brokers, key=lambda b: b.id)]
    if len(addresses) != BROKERS:
        raise SystemExit(f"mock cluster has {len(addresses)} brokers instead of {BROKERS}")
    return producer, addresses


def produce(producer, count):
    for number in range(count):
        topic = TOPICS[number % len(TOPICS)]
        producer.produce(topic, key=str(number), value=f"message {number}" * 4)
    left = producer.flush(10)
    if left:
        raise SystemExit(f"{left} messages were not delivered")


def consume(consumer, count, deadline_s):
    """Reads up to `count` messages and commits what it read."""
    deadline = time.monotonic() + deadline_s
    read = 0
    while read < count and time.monotonic() < deadline:
        message = consumer.poll(0.2)
        if message is None:
            continue
        if message.error():
            raise KafkaException(message.error())
        read += 1
    if read:
        consumer.commit(asynchronous=False)
    return read


def main():
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    producer, addresses = start_cluster()
    produce(producer, 200)
    consumer = Consumer(
        {
            "bootstrap.servers": ",".join(addresses),
            "group.id": GROUP,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe(["orders"])
    read = consume(consumer, 40, deadline_s=30)
    if read < 40:
        raise SystemExit(f"the group read {read} of 40 messages")
    ready = sys.argv[1] + ".part"
    with open(ready, "w", encoding="ascii") as file:
        file.write(",".join(addresses))
    os.replace(ready, sys.argv[1])
    while True:
        produce(producer, 20)
        consume(consumer, 8, deadline_s=2)
        time.sleep(0.5)


if __name__ == "__main__":
    main()
