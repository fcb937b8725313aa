"""Fleet, pipeline and sink on loopback: one line per check, exit 1 when one fails."""

import base64
import collections
import gzip
import hashlib
import http.server
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

# At the end: this folder has a kafka.py, which must not hide a package.
sys.path.append(str(pathlib.Path(__file__).parent))

from checks import check, finish, until  # noqa: E402

ACCOUNT = 1234567
# Any key will do: it is not New Relic that answers.
KEY = "0123456789012345678901234567890123456789"
FOLDER = pathlib.Path("target/interop/end_to_end")
DEADLINE_S = 30
ANSWER_DELAY_S = 0.3


class Sink:
    """New Relic's Event API as far as the pipeline knows it; the first request is refused."""

    def __init__(self):
        self.events, self.requests, self.refused = [], [], 0
        self.lock = threading.Lock()
        sink = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, answer = sink.take(self.path, self.headers, body)
                # Slow enough that SIGTERM can meet a POST that is under way.
                time.sleep(ANSWER_DELAY_S)
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.base = f"http://127.0.0.1:{self.server.server_port}/v1"

    def take(self, path, headers, body):
        with self.lock:
            self.requests.append((path, {name.lower(): value for name, value in headers.items()}))
            if len(self.requests) == 1:
                self.refused += 1
                return 503, b'{"error":"unavailable"}'
            if headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            self.events.extend(json.loads(body))
        return 200, b'{"success":true,"uuid":"00000000-0000-0000-0000-000000000000"}'

    def of(self, event_type):
        with self.lock:
            return [event for event in self.events if event["eventType"] == event_type]


def guid(kind, *parts):
    """The documented form, worked out here from nothing but names."""
    escape = lambda part: part.replace("%", "%25").replace(":", "%3A").replace("|", "%7C")
    identifier = hashlib.sha256(":".join(map(escape, parts)).encode()).hexdigest()[:32]
    readable = f"{ACCOUNT}|INFRA|MESSAGE_QUEUE_{kind}|{identifier}"
    return base64.urlsafe_b64encode(readable.encode()).decode().rstrip("=")


def get(url):
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Content-Type"], error.read().decode()


def start(name, *arguments, **environment):
    """The program with its output in files, which it may outlive."""
    out, err = (open(FOLDER / f"{name}.{stream}", "wb") for stream in ("out", "err"))
    child = subprocess.Popen([sys.argv[1], *arguments], stdin=subprocess.DEVNULL, stdout=out,
                             stderr=err, env={**os.environ, **environment})
    children.append(child)
    return child


def lines(name, stream):
    return (FOLDER / f"{name}.{stream}").read_text(encoding="utf-8").splitlines()


def serving_port():
    for line in lines("pipeline", "err"):
        record = json.loads(line)
        if record.get("message") == "Serving health and metrics.":
            return record["port"]
    if pipeline.poll() is not None:
        raise SystemExit(f"FAIL the pipeline ended with code {pipeline.returncode}")
    return None


def topics_of(exporter):
    """The topics that a broker's JMX exporter names."""
    page = get(exporter)[2]
    found = re.findall(r'^kafka_server_brokertopicmetrics_messagesin_total\{.*topic="([^"]+)"', page, re.M)
    return {topic for topic in found if not topic.startswith("__")}


def check_entities(sink, topics):
    events = sink.of("MessageQueue")
    names = collections.defaultdict(set)
    wrong, types = [], {"CLUSTER": None, "BROKER": "brokerId", "TOPIC": "topicName",
                        "CONSUMER_GROUP": "consumerGroup"}
    for event in events:
        kind = event["entityType"].removeprefix("MESSAGE_QUEUE_")
        name = event[types[kind]] if types[kind] else None
        names[kind].add(name)
        parts = ["kafka", "orders"] + ([str(name)] if name is not None else [])
        if event["entityGuid"] != guid(kind, *parts):
            wrong.append(f"{kind} {name}")
    counts = {kind: len(found) for kind, found in sorted(names.items())}
    check("all four kinds arrive", counts == {"BROKER": 3, "CLUSTER": 1, "CONSUMER_GROUP": 5,
                                              "TOPIC": 10}, str(counts))
    check("GUIDs are what Python makes of the names", events and not wrong, ", ".join(wrong[:3]))
    check("brokers by id", {str(name) for name in names["BROKER"]} == {"1", "2", "3"})
    check("topics are those of the JMX exporters", names["TOPIC"] == topics and topics)
    rates = [event.get("broker.messages.in.rate") for event in events
             if event["entityType"] == "MESSAGE_QUEUE_BROKER"]
    check("brokers have rates, from the second cycle on",
          rates[:3] == [None] * 3 and len(rates) >= 6 and all(rates[3:]),
          f"{len(rates)} events")
    check("scalars only", all(isinstance(value, (str, int, float)) and not isinstance(value, bool)
                              for event in events for value in event.values()))
    edges = collections.Counter(
        (e["sourceEntityType"].removeprefix("MESSAGE_QUEUE_"), e["relationshipType"],
         e["targetEntityType"].removeprefix("MESSAGE_QUEUE_"))
        for e in {json.dumps({**e, "timestamp": 0}, sort_keys=True): e
                  for e in sink.of("MessageQueueRelationship")}.values())
    check("relationships", edges[("CLUSTER", "MANAGES", "BROKER")] == 3
          and edges[("CLUSTER", "CONTAINS", "TOPIC")] == 10
          and edges[("CLUSTER", "CONTAINS", "CONSUMER_GROUP")] == 5
          and edges[("CONSUMER_GROUP", "CONSUMES_FROM", "TOPIC")] >= 5, str(dict(edges)))
    known = {event["entityGuid"] for event in events}
    ends = {e[end] for e in sink.of("MessageQueueRelationship")
            for end in ("sourceEntityGuid", "targetEntityGuid")}
    check("relationships join entities that arrived", ends and ends <= known)


def check_requests(sink):
    paths = {path for path, _ in sink.requests}
    check("requests go to the account", paths == {f"/v1/accounts/{ACCOUNT}/events"}, str(paths))
    headers = [headers for _, headers in sink.requests]
    check("requests carry the key", all(h.get("api-key") == KEY for h in headers))
    check("requests are gzipped JSON", all(h.get("content-encoding") == "gzip"
                                           and h.get("content-type", "").startswith("application/json")
                                           for h in headers))


def check_metrics(page):
    """OpenMetrics: families are declared before their samples, names once, an end."""
    families, samples, broken = {}, {}, []
    for line in page.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            if name in families:
                broken.append(f"{name} declared twice")
            families[name] = kind
        elif not line.startswith("#"):
            match = re.fullmatch(r'([a-zA-Z_:][\w:]*)(\{.*\})? (\S+)', line)
            if not match or line in samples:
                broken.append(line)
                continue
            samples[match[1] + (match[2] or "")] = float(match[3])
            base = re.sub(r"_(total|bucket|count|sum|info)$", "", match[1])
            if base not in families and match[1] not in families:
                broken.append(f"{match[1]} is not declared")
    check("metrics are OpenMetrics", page.endswith("# EOF\n") and not broken, "; ".join(broken[:3]))
    return samples


def value(samples, *words):
    return sum(number for name, number in samples.items() if all(word in name for word in words))


def ask(address, key, query, **variables):
    """`data` of NerdGraph's answer."""
    body = json.dumps({"query": query, "variables": variables}).encode()
    headers = {"API-Key": key, "Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(f"{address}/graphql", body, headers)) as answer:
        answer = json.load(answer)
    if "errors" in answer:
        raise SystemExit(f"FAIL NerdGraph says {answer['errors']}")
    return answer["data"]["actor"]


def check_newrelic(sink):
    """The same pipeline posts to `newrelic serve`, and a user asks what became of it."""
    newrelic = start("newrelic", "newrelic", "serve", "--port", "0", "--admin-port", "0",
                     "--speed", "20", "--format", "json")
    until(lambda: lines("newrelic", "out") or newrelic.poll() is not None, "New Relic")
    served = json.loads(lines("newrelic", "out")[0])
    account = served["accounts"][0]
    config = (FOLDER / "pipeline.toml").read_text(encoding="utf-8")
    config = config.replace(sink.base, served["newrelic"] + "/v1")
    config = config.replace(f"account_id = {ACCOUNT}", f"account_id = {account['id']}")
    (FOLDER / "newrelic.toml").write_text(config, encoding="utf-8")
    once = start("once", "pipeline", "--config", str(FOLDER / "newrelic.toml"), "--once",
                 NEW_RELIC_LICENSE_KEY=account["license_key"])
    check("a cycle is delivered to newrelic serve", once.wait(DEADLINE_S) == 0)
    address, key = served["newrelic"], account["user_key"]
    nrql = ("query($q: Nrql!, $a: Int!) { actor { account(id: $a) { nrql(query: $q) "
            "{ results } } } }")

    def rows(query):
        return ask(address, key, nrql, q=query, a=account["id"])["account"]["nrql"]["results"]

    expected = {"MESSAGE_QUEUE_BROKER": 3, "MESSAGE_QUEUE_CLUSTER": 1,
                "MESSAGE_QUEUE_CONSUMER_GROUP": 5, "MESSAGE_QUEUE_TOPIC": 10}

    def counted():
        found = rows("SELECT uniqueCount(entityGuid) AS 'n' FROM MessageQueue FACET entityType")
        return {row["facet"]: row["n"] for row in found} == expected

    until(counted, "events in NRQL")
    check("NRQL counts the fleet's objects", True)
    search = ("query($q: String) { actor { entitySearch(query: $q) { count results { entities "
              "{ guid name type } } } } }")
    query = "domain = 'INFRA' AND type IN (" + ", ".join(f"'{kind}'" for kind in expected) + ")"

    def entities():
        return ask(address, key, search, q=query)["entitySearch"]

    until(lambda: entities()["count"] == sum(expected.values()), "entities")
    found = entities()["results"]["entities"]
    check("every object has its entity", collections.Counter(e["type"] for e in found) == expected)
    known = {row["facet"] for row in rows("SELECT count(*) FROM MessageQueue FACET entityGuid LIMIT MAX")}
    check("their GUIDs are those of the events", {e["guid"] for e in found} == known)
    cluster = next(e["guid"] for e in found if e["type"] == "MESSAGE_QUEUE_CLUSTER")
    related = ("query($g: EntityGuid!) { actor { entity(guid: $g) { goldenMetrics { metrics { query } } "
               "relatedEntities { count } } } }")
    until(lambda: ask(address, key, related, g=cluster)["entity"]["relatedEntities"]["count"] == 18,
          "relationships")
    golden = ask(address, key, related, g=cluster)["entity"]["goldenMetrics"]["metrics"]
    check("golden metrics run", golden and all(rows(metric["query"]) for metric in golden),
          f"{len(golden)} of a cluster")
    newrelic.send_signal(signal.SIGTERM)
    check("newrelic serve exits 0 on SIGTERM", newrelic.wait(DEADLINE_S) == 0)


def main():
    global pipeline
    sink = Sink()
    fleet = start("fleet", "fleet", "serve", "--port", "0", "--jmx-port", "0", "--seed", "7")
    until(lambda: len(lines("fleet", "out")) == 3 or fleet.poll() is not None, "fleet")
    brokers = [line.split("\t") for line in lines("fleet", "out")]
    exporters = "\n".join(
        f'{line[1].split()[1]} = "{line[2].split("/")[2]}"' for line in brokers)
    (FOLDER / "pipeline.toml").write_text(f"""
[newrelic]
account_id = {ACCOUNT}
base_url = "{sink.base}"

[[kafka]]
cluster = "orders"
bootstrap = ["{brokers[0][0]}"]

[kafka.jmx]
{exporters}

[pipeline]
interval = "1s"

[http]
port = 0
""", encoding="utf-8")
    pipeline = start("pipeline", "pipeline", "--config", str(FOLDER / "pipeline.toml"),
                     "--format", "json", "--log-format", "json", NEW_RELIC_LICENSE_KEY=KEY)
    pages = f"http://127.0.0.1:{until(serving_port, 'health port')}"
    check("live at once", get(f"{pages}/health/live")[0] == 200)
    early = get(f"{pages}/health/ready")
    check("not ready before data flows", early[0] == 503, early[2][:120])
    until(lambda: get(f"{pages}/health/ready")[0] == 200, "readiness")
    check("ready once data flows", True)
    check("a refused request is repeated", sink.refused == 1 and len(sink.events) > 0)
    topics = set().union(*(topics_of(line[2]) for line in brokers))
    until(lambda: len(sink.of("MessageQueueRelationship")) > 0
          and len({e["timestamp"] for e in sink.of("MessageQueue")}) >= 4, "four cycles")
    check("live after some cycles", get(f"{pages}/health/live")[0] == 200)
    status, content_type, page = get(f"{pages}/metrics")
    check("metrics answer", status == 200 and content_type.startswith("application/openmetrics-text"))
    samples = check_metrics(page)
    acknowledged = value(samples, "events_total", 'outcome="acknowledged"')
    check("metrics count what arrived", 0 < acknowledged <= len(sink.events), f"{acknowledged:.0f}")
    unaccepted = value(samples, "posts_total") - value(samples, "posts_total", '"accepted"')
    check("metrics count the refused post", unaccepted == 1, f"{unaccepted:.0f}")
    absent = get(f"{pages}/nothing")
    check("unknown paths are named", absent[0] == 404 and absent[1] == "application/problem+json")

    requests = len(sink.requests)
    until(lambda: len(sink.requests) > requests, "next post")
    pipeline.send_signal(signal.SIGTERM)
    code = pipeline.wait(DEADLINE_S)
    run = json.loads(lines("pipeline", "out")[-1])["run"]
    check("SIGTERM drains and exits 0", code == 0 and run["undelivered"] == 0, f"code {code}")
    check("the report counts what arrived", run["delivered"] == len(sink.events), f"{run['delivered']} events")
    errors = [line for line in lines("pipeline", "err") if json.loads(line)["level"] == "ERROR"]
    check("no error in the log", not errors, "; ".join(errors[:2]))
    said = "\n".join(lines("pipeline", "err") + lines("pipeline", "out"))
    check("the key is in no output", KEY not in said)
    check_entities(sink, topics)
    check_requests(sink)
    check_newrelic(sink)
    fleet.send_signal(signal.SIGTERM)
    check("the fleet exits 0 on SIGTERM", fleet.wait(DEADLINE_S) == 0)


if __name__ == "__main__":
    children = []
    FOLDER.mkdir(parents=True, exist_ok=True)
    try:
        main()
    finally:
        for child in children:
            if child.poll() is None:
                child.kill()
                child.wait()
    finish()
