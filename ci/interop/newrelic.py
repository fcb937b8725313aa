"""A served New Relic and the SDKs that New Relic publishes: what they send is read back.

usage: newrelic.py PROGRAM NODE_FOLDER

The SDKs speak TLS only, so a front of Python's standard library ends TLS before the service.
"""

import gzip
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import zlib

from newrelic_telemetry_sdk import Event, EventBatch, EventClient, MetricBatch, MetricClient
from newrelic_telemetry_sdk import CountMetric, GaugeMetric, SummaryMetric

# At the end: a file of this folder must not hide a package.
sys.path.append(str(pathlib.Path(__file__).parent))

from checks import check, finish, until  # noqa: E402

FOLDER = pathlib.Path("target/interop/newrelic")
WRONG_KEY = "f" * 36 + "NRAL"
NERDGRAPH_QUERY = """query($account: Int!, $query: Nrql!) { actor { account(id: $account) {
  nrql(query: $query, timeout: 30) { results metadata { eventTypes facets } } } } }"""
SEARCH = """query($query: String) { actor { entitySearch(query: $query) { count results {
  nextCursor entities { guid name type accountId tags { key values } } } } } }"""


class Server:
    """The service, started with some arguments more; JSON lines tell where it is."""

    def __init__(self, program, *arguments):
        self.log = open(FOLDER / "serve.log", "ab")
        self.child = subprocess.Popen(
            [program, "newrelic", "serve", "--port", "0", "--admin-port", "0", "--format", "json",
             *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log)
        line = self.child.stdout.readline()
        if not line:
            raise SystemExit(f"FAIL the service did not start: see {FOLDER / 'serve.log'}")
        self.told = json.loads(line)
        self.port = int(self.told["newrelic"].rsplit(":", 1)[1])
        self.admin_port = int(self.told["admin"].rsplit(":", 1)[1])
        account = self.told["accounts"][0]
        self.account = account["id"]
        self.license_key, self.user_key = account["license_key"], account["user_key"]

    def request(self, method, path, body=b"", headers=None, port=None):
        """Status, headers and body of one request with exactly these headers."""
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=20)
        try:
            connection.request(method, path, body=body, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def admin(self, method, path, body=None):
        data = b"" if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        status, _, text = self.request(method, path, data, headers, self.admin_port)
        return status, json.loads(text)

    def graphql(self, query, variables=None, key=None):
        body = json.dumps({"query": query, "variables": variables or {}}).encode()
        headers = {"API-Key": key or self.user_key, "Content-Type": "application/json"}
        status, _, text = self.request("POST", "/graphql", body, headers)
        return status, json.loads(text)

    def nrql(self, query):
        """Results of a query; a text when it failed."""
        status, answer = self.graphql(NERDGRAPH_QUERY, {"account": self.account, "query": query})
        found = ((answer.get("data") or {}).get("actor") or {}).get("account") or {}
        if status != 200 or answer.get("errors") or not found.get("nrql"):
            return json.dumps(answer)
        return found["nrql"]["results"]

    def advance(self, by):
        """Leaps ahead, so that nothing has to be waited for."""
        return self.admin("POST", "/clock/advance", {"by": by})

    def stop(self):
        """Exit code and summary after SIGTERM."""
        self.child.send_signal(signal.SIGTERM)
        rest = self.child.stdout.read()
        code = self.child.wait(20)
        self.log.close()
        return code, json.loads(rest) if rest else {}


class TlsFront:
    """Ends TLS on a port of its own and passes the bytes on."""

    def __init__(self, target):
        certificate, key = FOLDER / "cert.pem", FOLDER / "key.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
             "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
             "subjectAltName=DNS:localhost,IP:127.0.0.1", "-out", certificate, "-keyout", key],
            check=True, capture_output=True)
        self.certificate, self.target = certificate, target
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        threading.Thread(target=self.accept, args=(listener, context), daemon=True).start()

    def accept(self, listener, context):
        while True:
            plain, _ = listener.accept()
            threading.Thread(target=self.carry, args=(plain, context), daemon=True).start()

    def carry(self, plain, context):
        try:
            near = context.wrap_socket(plain, server_side=True)
            far = socket.create_connection(("127.0.0.1", self.target), timeout=20)
        except OSError:
            return
        threading.Thread(target=self.pump, args=(far, near), daemon=True).start()
        self.pump(near, far)

    @staticmethod
    def pump(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def near(found, expected):
    return isinstance(found, (int, float)) and abs(found - expected) <= 1e-9 * max(1, abs(expected))


def python_events(server, front):
    options = {"host": "localhost", "port": front.port, "ca_certs": str(front.certificate)}
    client = EventClient(server.license_key, **options)
    batch = EventBatch()
    for number in range(200):
        tags = {"queue": f"q{number % 4}", "depth": number, "load": number / 8, "note": "ü ' \""}
        batch.record(Event("QueueSample", tags=tags))
    answer = client.send_batch(*batch.flush())
    told = answer.json()
    check("EventClient is answered 200 with a uuid",
          answer.status == 200 and told["success"] is True and len(told["uuid"]) == 36, str(told))
    single = client.send(Event("QueueSample", tags={"queue": "q9", "depth": 1000}))
    check("EventClient sends one event", single.ok)

    now = int(time.time() * 1000)
    bad = [{"eventType": "BadSample", "fine": 1}, {"no": "type"},
           {"eventType": "BadSample", "long": "x" * 5000}]
    refused = client.send_batch(bad)
    check("bad events are answered 200 too", refused.status == 200)
    wrong = EventClient(WRONG_KEY, **options).send(Event("QueueSample"))
    check("EventClient with a wrong key is answered 403", wrong.status == 403, str(wrong.data))
    user = EventClient(server.user_key, **options).send(Event("QueueSample"))
    check("EventClient with a user key is answered 403", user.status == 403)
    noise = os.urandom(1_100_000).hex()
    large = client.send_batch([{"eventType": "Large", "timestamp": now, "noise": noise}])
    check("EventClient with more than a megabyte is answered 413", large.status == 413)

    server.advance("10s")
    rows = server.nrql("SELECT count(*), sum(depth), average(load), max(depth), uniqueCount(queue) "
                       "FROM QueueSample SINCE 1 hour ago")
    row = rows[0] if isinstance(rows, list) else {}
    sums = sum(range(200)) + 1000
    check("NRQL reads back what EventClient sent",
          row.get("count") == 201 and near(row.get("sum.depth"), sums)
          and near(row.get("average.load"), sum(range(200)) / 8 / 200)
          and row.get("max.depth") == 1000 and row.get("uniqueCount.queue") == 5, str(rows))
    rows = server.nrql("SELECT count(*) FROM QueueSample FACET queue SINCE 1 hour ago")
    counts = {row["queue"]: row["count"] for row in rows} if isinstance(rows, list) else rows
    check("NRQL facets it", counts == {"q0": 50, "q1": 50, "q2": 50, "q3": 50, "q9": 1}, str(counts))
    rows = server.nrql("SELECT note FROM QueueSample WHERE depth = 7 SINCE 1 hour ago")
    check("texts come back as they were", rows and rows[0].get("note") == "ü ' \"", str(rows))
    rows = server.nrql("SELECT count(*) FROM QueueSample TIMESERIES 1 minute SINCE 1 hour ago")
    total = sum(row["count"] for row in rows) if isinstance(rows, list) else rows
    check("NRQL makes a time series of it", total == 201, str(total))

    rows = server.nrql("SELECT * FROM NrIntegrationError SINCE 1 hour ago")
    rows = rows if isinstance(rows, list) else []
    messages = sorted(row.get("message", "") for row in rows)
    check("NrIntegrationError tells of both bad events",
          len(rows) == 2 and "eventType" in messages[1] + messages[0]
          and "attribute value exceeded maximum length" in messages[0] + messages[1], str(messages))
    check("its rows carry the answer's uuid and the key's prefix",
          {row.get("requestId") for row in rows} == {refused.json()["uuid"]}
          and {row.get("apiKeyPrefix") for row in rows} == {server.license_key[:6]})
    rows = server.nrql("SELECT count(*) FROM BadSample SINCE 1 hour ago")
    check("the good event beside them is stored", rows == [{"count": 1}], str(rows))


def python_metrics(server, front):
    options = {"host": "localhost", "port": front.port, "ca_certs": str(front.certificate)}
    client = MetricClient(server.license_key, **options)
    batch = MetricBatch({"cluster": "orders"})
    for number in range(10):
        batch.record_gauge("py.gauge", number, {"broker": "1"})
        batch.record_gauge("py.gauge", number * 10, {"broker": "2"})
        batch.record_count("py.count", 2)
        batch.record_summary("py.summary", number)
    time.sleep(0.01)
    items, common = batch.flush()
    answer = client.send_batch(items, common)
    told = answer.json()
    check("MetricClient is answered 202 with a request id",
          answer.status == 202 and len(told.get("requestId", "")) == 36, str(told))
    single = client.send_batch([
        GaugeMetric("py.single", 0.1 + 0.2), CountMetric("py.single.count", 5, interval_ms=1000),
        SummaryMetric("py.single.summary", 2, 4.0, 1.0, 3.0, interval_ms=1000)])
    check("MetricClient sends metrics by themselves", single.status == 202)
    wrong = MetricClient(WRONG_KEY, **options).send(GaugeMetric("py.single", 1))
    check("MetricClient with a wrong key is answered 403", wrong.status == 403)
    noise = [{"name": "py.large", "value": 1, "attributes": {"a": os.urandom(1000).hex()}}
             for _ in range(1200)]
    large = client.send_batch(noise)
    check("MetricClient with more than a megabyte is answered 413", large.status == 413)

    server.advance("10s")
    rows = server.nrql("SELECT latest(py.gauge) FROM Metric FACET broker SINCE 1 hour ago")
    rows = {r["broker"]: r["latest.py.gauge"] for r in rows} if isinstance(rows, list) else rows
    check("gauges come back", rows == {"1": 9, "2": 90}, str(rows))
    rows = server.nrql("SELECT sum(py.count) AS 'c', count(py.summary) AS 'n', "
                       "average(py.summary) AS 'a', max(py.summary) AS 'max', "
                       "min(py.summary) AS 'min' FROM Metric SINCE 1 hour ago")
    row = rows[0] if isinstance(rows, list) else {}
    check("counts and summaries come back",
          row.get("c") == 20 and near(row.get("a"), 4.5) and row.get("max") == 9
          and row.get("min") == 0, str(rows))
    rows = server.nrql("SELECT latest(py.single) AS 's' FROM Metric SINCE 1 hour ago")
    check("numbers come back exactly", rows == [{"s": 0.1 + 0.2}], str(rows))
    rows = server.nrql("SELECT uniques(cluster) AS 'c' FROM Metric WHERE metricName = 'py.count' "
                       "SINCE 1 hour ago")
    check("common attributes come back", rows == [{"c": ["orders"]}], str(rows))


def node_sdk(server, front, folder):
    program = shutil.which("node")
    sdk = pathlib.Path(folder) / "node_modules/@newrelic/telemetry-sdk"
    if not program or not sdk.is_dir():
        print("     no node here: its SDK is not driven")
        return
    here = pathlib.Path(__file__).parent
    done = subprocess.run(
        [program, str(here / "newrelic_node.cjs"), folder, "localhost", str(front.port),
         server.license_key, WRONG_KEY], capture_output=True, text=True, timeout=60,
        env={**os.environ, "NODE_EXTRA_CA_CERTS": str(front.certificate)})
    answers = {row["name"]: row for row in map(json.loads, done.stdout.splitlines())}
    status = {name: row["status"] for name, row in answers.items()}
    check("node's SDK is answered like Python's",
          status == {"events": 200, "events with a wrong key": 403, "metrics": 202,
                     "metrics with a wrong key": 403}, f"{status} {done.stderr[:500]}")
    server.advance("10s")
    rows = server.nrql("SELECT count(*), sum(n), uniqueCount(text), latest(client) FROM NodeSample "
                       "FACET queue SINCE 1 hour ago")
    rows = {r["queue"]: r for r in rows} if isinstance(rows, list) else {"": rows}
    check("NRQL reads back node's events",
          {name: (r["count"], r["sum.n"], r["uniqueCount.text"], r["latest.client"])
           for name, r in rows.items() if name} ==
          {"even": (25, 600, 25, "node"), "odd": (25, 625, 25, "node")}, str(rows))
    rows = server.nrql("SELECT sum(node.count) AS 'c', max(node.summary) AS 'max', "
                       "average(node.summary) AS 'a', sum(node.gauge) AS 'g' FROM Metric "
                       "SINCE 1 hour ago")
    check("NRQL reads back node's metrics", rows == [{"c": 7, "max": 9, "a": 4, "g": 10}], str(rows))


def statuses(server):
    """What the envelope rules answer."""
    key = {"Api-Key": server.license_key}
    events, metrics = f"/v1/accounts/{server.account}/events", "/metric/v1"
    event = json.dumps({"eventType": "Status", "n": 1}).encode()
    gauge = json.dumps([{"metrics": [{"name": "s", "value": 1, "timestamp": int(time.time())}]}])
    gauge, typed = gauge.encode(), {**key, "Content-Type": "application/json"}
    zipped = {**key, "Content-Encoding": "gzip"}
    for name, method, path, body, headers, expected in [
        ("event", "POST", events, event, key, 200),
        ("event, insert key header", "POST", events, event, {"X-Insert-Key": server.license_key}, 200),
        ("gzip event", "POST", events, gzip.compress(event), zipped, 200),
        ("deflate event", "POST", events, zlib.compress(event),
         {**key, "Content-Encoding": "deflate"}, 200),
        ("broken gzip is found later", "POST", events, b"no gzip", zipped, 200),
        ("event without a key", "POST", events, event, {}, 403),
        ("event of another account", "POST", "/v1/accounts/424242/events", event, key, 403),
        ("empty event body", "POST", events, b"", key, 400),
        ("multipart event", "POST", events, event, {**key, "Content-Type": "multipart/form-data"}, 415),
        ("brotli event", "POST", events, event, {**key, "Content-Encoding": "br"}, 415),
        ("metric", "POST", metrics, gauge, typed, 202),
        ("metric, key in the query", "POST", f"{metrics}?Api-Key={server.license_key}", gauge,
         {"Content-Type": "application/json"}, 202),
        ("metric without a key", "POST", metrics, gauge, {"Content-Type": "application/json"}, 403),
        ("metric, text", "POST", metrics, gauge, {**key, "Content-Type": "text/plain"}, 415),
        ("metrics by GET", "GET", metrics, b"", key, 405),
        ("nothing there", "POST", "/metric/v9", gauge, typed, 404),
    ]:
        status, _, answer = server.request(method, path, body, headers)
        check(f"{name}: {expected}", status == expected, f"{status} {answer[:120]!r}")
    server.advance("10s")
    rows = server.nrql("SELECT count(*) FROM Status SINCE 1 hour ago")
    check("what was answered 200 is stored", rows == [{"count": 4}], str(rows))
    rows = server.nrql("SELECT count(*) FROM NrIntegrationError WHERE message = "
                       "'Error parsing JSON payload' SINCE 1 hour ago")
    check("a body that nobody can parse is told of", rows == [{"count": 1}], str(rows))


def nerdgraph(server):
    status, answer = server.graphql("{ actor { user { name } } }", key="NRAK-" + "0" * 27)
    code = [e.get("extensions", {}).get("error_code") for e in answer.get("errors", [])]
    check("NerdGraph with a wrong key", status == 401 or code == ["BAD_API_KEY"], f"{status} {code}")
    _, answer = server.graphql("{ actor { nonsense } }")
    check("a field that does not exist is an error with a place",
          answer.get("errors") and answer["errors"][0].get("locations"), str(answer)[:200])
    _, answer = server.graphql("{ __schema { queryType { name } types { name } } }")
    types = ((answer.get("data") or {}).get("__schema") or {}).get("types") or []
    check("introspection", len(types) > 50, f"{len(types)} types")
    text = server.nrql("SELECT FORM QueueSample")
    check("an NRQL error tells the place", "position" in text and "line" in text, text[:200])

    identifier = "0123456789abcdef0123456789abcdef"
    event = {"eventType": "MessageQueue", "entityType": "MESSAGE_QUEUE_BROKER",
             "entityIdentifier": identifier, "displayName": "orders broker 1", "provider": "kafka",
             "clusterName": "orders", "brokerId": "1", "environment": "test"}
    server.request("POST", "/v1/accounts/events", json.dumps([event]).encode(),
                   {"Api-Key": server.license_key})
    query = "type = 'MESSAGE_QUEUE_BROKER' AND tags.clusterName = 'orders'"

    def found():
        server.advance("5s")
        _, answer = server.graphql(SEARCH, {"query": query})
        results = ((answer.get("data") or {}).get("actor") or {}).get("entitySearch") or {}
        return (results.get("results") or {}).get("entities")

    entities = until(found, "entity")
    tags = {tag["key"]: tag["values"] for tag in entities[0]["tags"]}
    check("an event makes an entity with tags", entities[0]["name"] == "orders broker 1"
          and tags.get("clusterName") == ["orders"] and tags.get("brokerId") == ["1"], str(tags))
    guid = entities[0]["guid"]
    _, answer = server.graphql(
        "mutation($guid: EntityGuid!) { taggingAddTagsToEntity(guid: $guid, "
        "tags: [{key: \"team\", values: [\"queues\"]}]) { errors { message type } } }",
        {"guid": guid})
    done = (answer.get("data") or {}).get("taggingAddTagsToEntity")
    check("a user's tag is taken", done in ({"errors": []}, {"errors": None}), str(answer))
    return guid


def faults(server, front):
    status, active = server.admin("POST", "/faults", {"answer": "too_many_requests",
                                                      "retry_after": "7s", "target": "event"})
    check("a fault is switched on", status == 201, str(active))
    client = EventClient(server.license_key, host="localhost", port=front.port,
                         ca_certs=str(front.certificate))
    answer = client.send(Event("QueueSample"))
    check("EventClient sees 429 and Retry-After", answer.status == 429
          and answer.headers.get("Retry-After") == "7", f"{answer.status} {dict(answer.headers)}")
    metric = MetricClient(server.license_key, host="localhost", port=front.port,
                          ca_certs=str(front.certificate)).send(GaugeMetric("after", 1))
    check("the Metric API is spared", metric.status == 202)
    status, _ = server.admin("DELETE", f"/faults/{active['id']}")
    check("and off again", status == 200 and client.send(Event("QueueSample")).status == 200)
    status, answer = server.admin("POST", "/faults", {"answer": "to_many_requests"})
    check("a misspelt fault is an error with its fix",
          status == 400 and "too_many_requests" in answer["fix"], str(answer))
    status, _, answer = server.request("GET", "/faults", headers={"Host": "evil.example"},
                                       port=server.admin_port)
    check("a rebound name is refused", status == 403, answer[:100])


def page(server):
    status, headers, body = server.request("GET", "/")
    check("the page is there", status == 200 and b"<title>" in body)
    check("it may load nothing from elsewhere",
          headers["Content-Security-Policy"].startswith("default-src 'none'"))
    check("it holds no key", server.user_key.encode() not in body)
    own = {"Content-Type": "application/json", "Origin": f"http://127.0.0.1:{server.port}"}
    query = json.dumps({"query": "SELECT count(*) FROM QueueSample SINCE 1 hour ago"}).encode()
    status, _, body = server.request("POST", "/page/api/nrql", query, own)
    check("its query box answers", status == 200 and b'"count": 202' in body, body[:300])
    foreign = {**own, "Origin": "http://evil.example"}
    status, _, _ = server.request("POST", "/page/api/nrql", query, foreign)
    check("another page gets nothing", status == 403)


def page_script(server, folder):
    program = shutil.which("node")
    if not program or not (pathlib.Path(folder) / "node_modules/jsdom").is_dir():
        print("     no node here: the page's script is not run")
        return
    here = pathlib.Path(__file__).parent
    done = subprocess.run([program, str(here / "newrelic_page.cjs"), folder,
                           f"http://127.0.0.1:{server.port}"],
                          capture_output=True, text=True, timeout=120)
    seen = json.loads(done.stdout or "{}")
    check("the page's script runs without an error", seen.get("errors") == [],
          f"{seen.get('errors')} {done.stderr[:300]}")
    check("it shows event types, statuses and entities", seen.get("trouble") == ""
          and "QueueSample" in (seen.get("types") or "") and "200" in seen["statuses"]
          and "orders broker 1" in seen["entities"], str(seen)[:300])
    check("facets are bars and rows", seen.get("bars") == seen.get("rows") == 5,
          f"{seen.get('bars')} {seen.get('rows')}")
    check("a time series is a line", seen.get("lines") == 1)
    check("a histogram is bars", seen.get("histogram") == 10, str(seen.get("histogram")))
    check("a mistake is pointed at", (seen.get("mistake") or "").endswith("FORM QueueSample\n^"),
          seen.get("mistake"))
    check("a fault is switched on and off", "slow of ingest: after 1s" in (seen.get("faultOn") or "")
          and seen.get("faultOff") == "All is well.", str(seen.get("faultOn")))


def main(program, node_folder):
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    data = ["--data", str(FOLDER / "data")]
    server = Server(program, *data)
    try:
        front = TlsFront(server.port)
        python_events(server, front)
        python_metrics(server, front)
        node_sdk(server, front, node_folder)
        statuses(server)
        guid = nerdgraph(server)
        faults(server, front)
        server.advance("10s")
        page(server)
        page_script(server, node_folder)
        queries = ["SELECT count(*), sum(depth) FROM QueueSample SINCE 1 day ago",
                   "SELECT count(*) FROM Metric FACET metricName LIMIT MAX SINCE 1 day ago",
                   "SELECT count(*) FROM NrIntegrationError FACET message SINCE 1 day ago"]
        before = [server.nrql(query) for query in queries]
        code, summary = server.stop()
        told = summary.get("summary", {})
        check("SIGTERM ends it with 0 and a summary", code == 0 and told.get("events_stored", 0) > 200,
              str(told))

        server = Server(program, *data)
        replayed = server.told["replayed"]
        check("a restart plays the journal back", replayed["refused"] == 0 and replayed["taken"] > 10,
              str(replayed))
        after = [server.nrql(query) for query in queries]
        check("and has the same store", after == before, f"{before} {after}")
        _, answer = server.graphql("query($g: EntityGuid!) { actor { entity(guid: $g) { name "
                                   "tags { key values } } } }", {"g": guid})
        entity = ((answer.get("data") or {}).get("actor") or {}).get("entity") or {}
        tags = {tag["key"]: tag["values"] for tag in entity.get("tags", [])}
        check("entities and users' tags are back", tags.get("team") == ["queues"], str(answer)[:300])
        refused = subprocess.run([program, "newrelic", "serve", "--port", "0", "--admin-port", "0",
                                  *data], capture_output=True, text=True, timeout=30)
        check("a second instance is refused the folder",
              refused.returncode == 4 and "in use" in refused.stderr, refused.stderr[:200])
        code, _ = server.stop()
        check("it ends with 0 again", code == 0)
    finally:
        if server.child.poll() is None:
            server.child.kill()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
    finish()
