"""Checks and carries out what `shakedown sweep jobs` prints; see sweep_jobs.sh."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import yaml

# At the end: this folder has a kafka.py, which must not hide a package.
sys.path.append(str(Path(__file__).parent))

from checks import check, finish  # noqa: E402

PROGRAM = Path(sys.argv[1]).resolve()
BIN = Path(sys.executable).parent
SHARDS = 3
SEEDS = 12
# A scenario that every seed survives, and one that no seed does: more is lost than may be.
CALM = """title = "calm"
duration = "70s"
[kafka.orders]
brokers = 1
topics = 2
replication = 1
groups = 1
[pipeline]
interval = "5s"
"""
BROKEN = CALM.replace('"70s"', '"100s"') + """[expect]
relative_error_max = 0.0
freshness_max = "1ms"
"""


def run(command, **more):
    return subprocess.run(command, capture_output=True, text=True, timeout=600, **more)


def printed(kind, *arguments):
    words = [PROGRAM, "sweep", "jobs", "--kind", kind, "--shards", str(SHARDS), *arguments]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def is_workflow(text, folder):
    file = Path(folder) / "workflow.yaml"
    file.write_text(text)
    command = [BIN / "check-jsonschema", "--builtin-schema", "vendor.github-workflows", file]
    return run(command).returncode == 0


def is_manifest(text, folder):
    file = Path(folder) / "manifest.yaml"
    file.write_text(text)
    return run([BIN / "kubernetes-validate", "--strict", file]).returncode == 0


def schemas(folder):
    """Both files fit their schemas, and the schemas would notice a wrong one."""
    workflow, manifest = printed("github"), printed("kubernetes")
    check("the workflow fits GitHub's schema", is_workflow(workflow, folder))
    check("the manifest fits Kubernetes' schema", is_manifest(manifest, folder))
    for good, bad in [("runs-on:", "runs-in:"), ("fail-fast: false", "fail-fast: 7")]:
        wrong = workflow.replace(good, bad)
        check(f"a workflow with `{bad}` does not", not is_workflow(wrong, folder))
    for good, bad in [("completions: 3", "completions: three"), ("containers:", "container:")]:
        wrong = manifest.replace(good, bad)
        check(f"a manifest with `{bad}` does not", not is_manifest(wrong, folder))


def whole(scenario, folder):
    """One sweep of everything: what the merged summaries must equal."""
    words = [PROGRAM, "sweep", scenario, "--seeds", str(SEEDS), "--out", folder]
    return run(words).returncode, summary(folder)


def summary(folder):
    """The summary in `folder` without what it cost."""
    file = Path(folder) / "summary.json"
    if not file.exists():
        return None
    content = json.loads(file.read_text())
    del content["performance"]
    return content


def kubernetes(scenario, folder):
    """Every pod at once, as a cluster would; the merge's exit code and summary."""
    documents = list(yaml.safe_load_all(printed("kubernetes", scenario, "--seeds", str(SEEDS))))
    jobs = {document["metadata"]["name"]: document["spec"] for document in documents}
    shards, merge = jobs["shakedown-sweep"], jobs["shakedown-sweep-merge"]
    reports = Path(folder) / "reports"
    reports.mkdir()
    path = Path(folder) / "bin"
    path.mkdir()
    (path / "shakedown").symlink_to(PROGRAM)
    base = {"PATH": f"{path}:{os.environ['PATH']}", "REPORTS": str(reports)}
    command = lambda job: job["template"]["spec"]["containers"][0]["command"]  # noqa: E731
    ended = {}

    def pod(index):
        env = base | {"JOB_COMPLETION_INDEX": str(index)}
        ended[index] = run(command(shards), env=env).returncode

    pods = [threading.Thread(target=pod, args=(n,)) for n in range(shards["completions"])]
    for thread in pods:
        thread.start()
    merged = run(command(merge), env=base)
    for thread in pods:
        thread.join()
    check("every pod of a shard succeeds", set(ended.values()) == {0} and len(ended) == SHARDS)
    return merged.returncode, summary(reports)


def github(scenario, folder):
    """Each job in a folder of its own, artifacts carried by hand."""
    workflow = yaml.safe_load(printed("github", scenario, "--seeds", str(SEEDS)))
    jobs = workflow["jobs"]
    steps = lambda job: [step for step in jobs[job]["steps"] if "run" in step]  # noqa: E731
    merge = Path(folder) / "merge"
    (merge / "reports").mkdir(parents=True)

    def prepare(place):
        (place / "bin").mkdir(parents=True)
        shutil.copy(PROGRAM, place / "bin" / "shakedown")

    def job(name, place, shard=None):
        code = 0
        for step in steps(name):
            env = dict(os.environ)
            for key, value in step.get("env", {}).items():
                env[key] = value.replace("${{ matrix.shard }}", str(shard))
            script = step["run"]
            assert "${{" not in script, script
            code = code or run(["bash", "-e", "-c", script], cwd=place, env=env).returncode
        return code

    codes = []
    for shard in jobs["shard"]["strategy"]["matrix"]["shard"]:
        place = Path(folder) / f"shard-{shard}"
        prepare(place)
        codes.append(job("shard", place, shard))
        for file in (place / "reports").glob("*"):
            shutil.copy(file, merge / "reports")
    check("every job of a shard succeeds", codes == [0] * SHARDS)
    prepare(merge)
    code = job("merge", merge)
    kept = jobs["merge"]["steps"][-1]["with"]["path"].split()
    check("the merge makes what is kept", all((merge / file).exists() for file in kept))
    return code, summary(merge / "reports")


def main():
    with tempfile.TemporaryDirectory() as folder:
        schemas(folder)
        for name, text, expected in [("calm", CALM, {0}), ("broken", BROKEN, {10, 11, 13})]:
            scenario = Path(folder) / f"{name} sweep.toml"
            scenario.write_text(text)
            code, one = whole(scenario, Path(folder) / f"{name}-whole")
            check(f"{name}: one sweep ends as it must", code in expected, f"exit {code}")
            check(f"{name}: one sweep ran {SEEDS} seeds", one and one["runs"] == SEEDS)
            for kind, carry in [("kubernetes", kubernetes), ("github", github)]:
                place = Path(folder) / f"{name}-{kind}"
                place.mkdir()
                merged_code, merged = carry(scenario, place)
                check(f"{name}: {kind} merges to the same summary", merged == one)
                check(f"{name}: {kind} ends with the same code", merged_code == code)
    finish()


if __name__ == "__main__":
    main()
