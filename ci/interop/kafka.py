"""The pipeline against a Kafka cluster that nobody here wrote: librdkafka's mock.

usage: kafka.py serve READY_FILE EVENTS_FILE
       kafka.py check EVENTS_FILE REPORT_FILE

`serve` runs the mock cluster with topics, data and a consumer group, and an endpoint that takes
New Relic events; it writes `bootstrap TAB endpoint` to READY_FILE once there is something to
collect, every event to EVENTS_FILE, and goes on producing and committing until it is killed.
`check` says whether what arrived is what was there.

What this mock lacks, and a collector must live with: ApiVersions above v2, ListGroups,
DescribeGroups, DescribeConfigs, DescribeCluster, DescribeLogDirs; its controller id names none
of its brokers; OffsetFetch answers only for partitions that are named.
"""

import gzip
import http.server
import json
import os
import sys
import threading
import time
import uuid

from confluent_kafka import Consumer, KafkaException, Producer

from checks import check as expect
from checks import failures

BROKERS = 3
TOPICS = ["orders", "payments"]
GROUP = "billing"
LACKS = ["api_unsupported"]


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


def start_endpoint(events_file):
    """Takes events as New Relic's Event API does, and keeps them, one JSON object a line."""
    events = open(events_file, "w", encoding="utf-8")

    class Endpoint(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            for event in json.loads(body):
                events.write(json.dumps(event) + "\n")
            events.flush()
            answer = json.dumps({"success": True, "uuid": str(uuid.uuid4())}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/v1"


def serve(ready_file, events_file):
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
    endpoint = start_endpoint(events_file)
    with open(ready_file + ".part", "w", encoding="ascii") as file:
        file.write(",".join(addresses) + "\t" + endpoint + "\n")
    os.replace(ready_file + ".part", ready_file)
    while True:
        produce(producer, 20)
        consume(consumer, 8, deadline_s=2)
        time.sleep(0.2)


def check(events_file, report_file):
    with open(events_file, encoding="utf-8") as file:
        events = [json.loads(line) for line in file]
    queues = [event for event in events if event.get("eventType") == "MessageQueue"]
    expect("events arrived", len(queues) > 0, str(len(queues)))

    def of(kind):
        return [event for event in queues if event["entityType"] == f"MESSAGE_QUEUE_{kind}"]

    brokers = {event.get("brokerId") for event in of("BROKER")}
    topics = {event.get("topicName") for event in of("TOPIC")}
    groups = {event.get("consumerGroup") for event in of("CONSUMER_GROUP")}
    expect("one cluster", len({e["entityGuid"] for e in of("CLUSTER")}) == 1)
    expect("brokers by id", {str(id) for id in brokers} == {"1", "2", "3"}, str(sorted(brokers)))
    expect("topics", topics == set(TOPICS), str(sorted(topics)))
    expect("the group that the configuration names", groups == {GROUP}, str(sorted(groups)))
    # The producer never stops, so every cycle but the first sees log ends grow.
    rates = [event.get("topic.throughput.in.messagesPerSecond", 0) for event in of("TOPIC")]
    expect("topics have a rate of messages, from their log ends", max(rates, default=0) > 0)
    lags = [event.get("consumerGroup.lag.total", 0) for event in of("CONSUMER_GROUP")]
    expect("the group has a lag", max(lags, default=0) > 0, str(lags))
    with open(report_file, encoding="utf-8") as file:
        report = file.read()
    expect("what the brokers lack is named", all(name in report for name in LACKS))
    if not queues or failures:
        raise SystemExit(f"{len(failures)} checks failed: {', '.join(failures)}")


if __name__ == "__main__":
    modes = {"serve": serve, "check": check}
    if len(sys.argv) != 4 or sys.argv[1] not in modes:
        raise SystemExit(__doc__)
    modes[sys.argv[1]](*sys.argv[2:])
