"""Drives a served fleet with confluent-kafka: one line per check, exit 1 when one fails."""

import sys
import time
import urllib.request
import uuid

import confluent_kafka
from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import (
    AdminClient,
    ConfigResource,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from checks import check, finish

TIMEOUT = 15


def main(started):
    lines = [line.split("\t") for line in open(started, encoding="utf-8").read().splitlines()]
    bootstrap = lines[0][0]
    print(f"confluent-kafka {confluent_kafka.version()}, librdkafka {confluent_kafka.libversion()[0]}")
    errors = []
    common = {"bootstrap.servers": bootstrap, "error_cb": errors.append}
    admin = AdminClient(common)

    # Topics and brokers.
    meta = admin.list_topics(timeout=TIMEOUT)
    check("brokers", len(meta.brokers) == len(lines), str(sorted(map(str, meta.brokers.values()))))
    addresses = {f"{b.host}:{b.port}" for b in meta.brokers.values()}
    check("advertised addresses are the printed ones", addresses == {line[0] for line in lines})
    check("topics", len(meta.topics) == 11 and "__consumer_offsets" in meta.topics, str(len(meta.topics)))
    topic = meta.topics["orders.created"]
    check("partitions have leader, replicas and ISR",
          len(topic.partitions) == 6 and all(p.leader > 0 and len(p.replicas) == 3 and len(p.isrs) == 3
                                             for p in topic.partitions.values()))
    check("controller", meta.controller_id in meta.brokers, str(meta.controller_id))
    cluster = admin.describe_cluster(request_timeout=TIMEOUT).result()
    check("describe cluster", cluster.cluster_id == "orders" and len(cluster.nodes) == 3)

    # Groups.
    groups = admin.list_consumer_groups(request_timeout=TIMEOUT).result()
    names = sorted(g.group_id for g in groups.valid)
    check("list groups", len(names) == 5 and not groups.errors, ", ".join(names))
    described = {g: f.result() for g, f in
                 admin.describe_consumer_groups(names, request_timeout=TIMEOUT).items()}
    stable = [d for d in described.values() if d.state.name == "STABLE"]
    check("describe groups", len(stable) >= 1 and all(len(d.members) >= 1 for d in stable))
    check("assignments parse", all(m.assignment.topic_partitions for d in stable for m in d.members[:1]))
    check("coordinator is a broker", all(d.coordinator.id in meta.brokers for d in stable))

    # Offsets.
    group = stable[0].group_id
    future = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)],
                                               request_timeout=TIMEOUT)[group]
    committed = future.result().topic_partitions
    check("group offsets", committed and all(p.offset >= 0 for p in committed), f"{len(committed)} partitions")
    spec = {TopicPartition(p.topic, p.partition): OffsetSpec.latest() for p in committed}
    ends = {(t.topic, t.partition): f.result().offset
            for t, f in admin.list_offsets(spec, request_timeout=TIMEOUT).items()}
    check("log ends are not behind commits",
          all(ends[(p.topic, p.partition)] >= p.offset for p in committed))
    time.sleep(2.1)
    later = {(t.topic, t.partition): f.result().offset
             for t, f in admin.list_offsets(spec, request_timeout=TIMEOUT).items()}
    check("log ends grow", sum(later.values()) > sum(ends.values()),
          f"{sum(later.values()) - sum(ends.values())} messages in 2 s")

    # Configurations.
    resource = ConfigResource(ResourceType.TOPIC, "orders.created")
    configs = admin.describe_configs([resource], request_timeout=TIMEOUT)[resource].result()
    check("describe topic configs", configs["min.insync.replicas"].value == "2", str(len(configs)))
    resource = ConfigResource(ResourceType.BROKER, "2")
    configs = admin.describe_configs([resource], request_timeout=TIMEOUT)[resource].result()
    check("describe broker configs", configs["node.id"].value == "2")

    # A new topic; errors.
    name = f"interop-{uuid.uuid4().hex[:8]}"
    new = NewTopic(name, num_partitions=3, replication_factor=3, config={"retention.ms": "600000"})
    admin.create_topics([new], request_timeout=TIMEOUT)[name].result()
    check("create topic", name in admin.list_topics(timeout=TIMEOUT).topics)
    for what, bad, expected in [
        ("exists already", new, KafkaError.TOPIC_ALREADY_EXISTS),
        ("replication factor", NewTopic(name + "x", num_partitions=1, replication_factor=9),
         KafkaError.INVALID_REPLICATION_FACTOR),
        ("setting", NewTopic(name + "y", num_partitions=1, config={"no.such": "1"}),
         KafkaError.INVALID_CONFIG),
    ]:
        try:
            admin.create_topics([bad], request_timeout=TIMEOUT)[bad.topic].result()
            check(f"create topic refused: {what}", False)
        except KafkaException as error:
            check(f"create topic refused: {what}", error.args[0].code() == expected, error.args[0].str())

    produce_and_consume(common, name)
    idempotent(common, name)
    two_members(common, name)
    synthetic(common)
    jmx(lines)
    fatal = [e for e in errors if e.fatal() or e.code() in (KafkaError._ALL_BROKERS_DOWN,)]
    check("no client error", not fatal, "; ".join(str(e) for e in errors[:3]))


def produce_and_consume(common, topic):
    """Writes with every codec, reads in a group, commits, reads the commit."""
    delivered = []

    def on_delivery(error, message):
        delivered.append((error, message.partition(), message.offset()))

    sent = set()
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"]:
        producer = Producer({**common, "compression.type": codec, "linger.ms": 20})
        for number in range(200):
            value = f"{codec}-{number}-" + "x" * 100
            sent.add(value)
            producer.produce(topic, key=str(number), value=value, headers={"codec": codec},
                             on_delivery=on_delivery)
        left = producer.flush(TIMEOUT)
        check(f"produce {codec}", left == 0, f"{left} left")
    check("every message acknowledged", len(delivered) == 1000 and not any(e for e, _, _ in delivered),
          str(next((e for e, _, _ in delivered if e), "")))

    group = f"interop-{uuid.uuid4().hex[:8]}"
    consumer = Consumer({**common, "group.id": group, "auto.offset.reset": "earliest",
                         "enable.auto.commit": False, "session.timeout.ms": 6000})
    consumer.subscribe([topic])
    received = read(consumer, len(sent))
    check("consume in a group gives back what was written",
          {m.value().decode() for m in received} == sent and len(received) == len(sent),
          f"{len(received)} messages")
    check("headers survive", all(dict(m.headers())["codec"] for m in received))
    offsets = {}
    for message in received:
        offsets.setdefault(message.partition(), []).append(message.offset())
    check("offsets have no gap", all(o == list(range(len(o))) for o in offsets.values()))
    check("assignment", sorted(p.partition for p in consumer.assignment()) == [0, 1, 2])
    consumer.commit(asynchronous=False)
    committed = consumer.committed([TopicPartition(topic, p) for p in range(3)], timeout=TIMEOUT)
    low_high = [consumer.get_watermark_offsets(TopicPartition(topic, p), timeout=TIMEOUT) for p in range(3)]
    check("commit", [p.offset for p in committed] == [high for _, high in low_high], str(low_high))
    admin = AdminClient(common)
    described = admin.describe_consumer_groups([group], request_timeout=TIMEOUT)[group].result()
    check("own group is described", described.state.name == "STABLE" and len(described.members) == 1)
    consumer.close()
    described = admin.describe_consumer_groups([group], request_timeout=TIMEOUT)[group].result()
    check("group is empty after close", described.state.name == "EMPTY", described.state.name)

    again = Consumer({**common, "group.id": group, "auto.offset.reset": "earliest"})
    again.subscribe([topic])
    producer = Producer(common)
    producer.produce(topic, value="after the commit")
    producer.flush(TIMEOUT)
    received = read(again, 1)
    check("consume goes on after the commit", [m.value() for m in received] == [b"after the commit"])
    again.close()


def idempotent(common, topic):
    producer = Producer({**common, "enable.idempotence": True})
    errors = []
    producer.produce(topic, value="once", on_delivery=lambda e, m: errors.append(e))
    left = producer.flush(TIMEOUT)
    check("idempotent producer", left == 0 and errors == [None], str(errors))


def two_members(common, topic):
    """A second member joins: both get a share; it leaves: the first has all again."""
    group = f"interop-{uuid.uuid4().hex[:8]}"
    config = {**common, "group.id": group, "auto.offset.reset": "earliest",
              "session.timeout.ms": 6000, "heartbeat.interval.ms": 500}
    first, second = Consumer(config), Consumer(config)
    first.subscribe([topic])
    second.subscribe([topic])

    def shares(want):
        until = time.time() + 30
        while time.time() < until:
            for consumer in want:
                consumer.poll(0.1)
            parts = [{p.partition for p in c.assignment()} for c in want]
            if all(parts) and set.union(*parts) == {0, 1, 2} and sum(map(len, parts)) == 3:
                return parts
        return [{p.partition for p in c.assignment()} for c in want]

    parts = shares([first, second])
    check("two members share the partitions", sum(map(len, parts)) == 3 and all(parts), str(parts))
    second.close()
    parts = shares([first])
    check("the remaining member takes over", parts == [{0, 1, 2}], str(parts))
    first.close()


def synthetic(common):
    """Reads the fleet's own messages: from the start, from a time, past the end."""
    consumer = Consumer({**common, "group.id": "interop-manual", "enable.auto.commit": False,
                         "auto.offset.reset": "error"})
    place = TopicPartition("payments.created", 0)
    low, high = consumer.get_watermark_offsets(place, timeout=TIMEOUT)
    check("synthetic log has messages", high > low >= 0, f"{low}..{high}")
    place.offset = high - 50
    consumer.assign([place])
    received = read(consumer, 60)
    offsets = [m.offset() for m in received]
    check("synthetic messages are read in order", offsets == list(range(high - 50, high + 10)),
          f"{offsets[:1]}..{offsets[-1:]}")
    check("synthetic values", all(f'"offset":{m.offset()}' in m.value().decode() for m in received))
    minute_ago = int(time.time() * 1000) - 60_000
    found = consumer.offsets_for_times([TopicPartition("payments.created", 0, minute_ago)], timeout=TIMEOUT)
    check("offset for a time", low < found[0].offset < high, str(found[0].offset))
    consumer.assign([TopicPartition("payments.created", 0, high + 10_000_000)])
    until, code = time.time() + TIMEOUT, None
    while time.time() < until and code is None:
        message = consumer.poll(0.2)
        if message is not None and message.error():
            code = message.error().code()
    check("offset out of range is reported",
          code in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE), str(code))
    consumer.close()


def jmx(lines):
    for line in lines:
        page = urllib.request.urlopen(line[2], timeout=TIMEOUT).read().decode()
        series = dict(row.rsplit(" ", 1) for row in page.splitlines() if not row.startswith("#"))
        value = float(series["kafka_server_brokertopicmetrics_messagesin_total"])
        check(f"JMX exporter of {line[1]}", value > 0, f"{len(series)} series, {value:.0f} messages in")


def read(consumer, count):
    received, until = [], time.time() + 30
    while len(received) < count and time.time() < until:
        for message in consumer.consume(min(500, count - len(received)), timeout=1):
            if message.error():
                print("     ", message.error())
            else:
                received.append(message)
    return received


if __name__ == "__main__":
    main(sys.argv[1])
    finish()
