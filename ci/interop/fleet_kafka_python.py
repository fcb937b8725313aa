"""The same fleet by kafka-python, a client that shares no code with librdkafka."""

import pathlib
import sys
import uuid

import kafka
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic

# At the end: this folder has a kafka.py, which must not hide a package.
sys.path.append(str(pathlib.Path(__file__).parent))

from checks import check, finish  # noqa: E402


def main(started):
    bootstrap = open(started, encoding="utf-8").readline().split("\t")[0]
    print(f"kafka-python {kafka.__version__}")
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    check("topics", "orders.created" in admin.list_topics())
    cluster = admin.describe_cluster()
    check("describe cluster", len(cluster["brokers"]) == 3 and cluster["cluster_id"] == "orders")
    dirs = admin.describe_log_dirs()
    check("log dirs of every broker", len(dirs) == 3 and all(d["log_dirs"][0]["topics"] for d in dirs))
    topic = f"python-{uuid.uuid4().hex[:8]}"
    admin.create_topics([NewTopic(topic, 2, 3)])
    producer = KafkaProducer(bootstrap_servers=bootstrap, compression_type="gzip")
    sent = [f"value-{number}".encode() for number in range(300)]
    futures = [producer.send(topic, value) for value in sent]
    producer.flush()
    check("produce", all(future.get(10).offset >= 0 for future in futures))
    consumer = KafkaConsumer(topic, bootstrap_servers=bootstrap, group_id=f"{topic}-readers",
                             auto_offset_reset="earliest", consumer_timeout_ms=8000)
    received = []
    for message in consumer:
        received.append(message.value)
        if len(received) == len(sent):
            break
    check("consume in a group", sorted(received) == sorted(sent), f"{len(received)} messages")
    consumer.commit()
    committed = [consumer.committed(TopicPartition(topic, partition)) for partition in (0, 1)]
    check("commit", sum(committed) == len(sent), str(committed))
    consumer.close()


if __name__ == "__main__":
    main(sys.argv[1])
    finish()
