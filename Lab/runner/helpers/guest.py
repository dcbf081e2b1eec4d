"""Inside a virtual machine: does the jobs that appear in a directory of the machine outside, guest.py DIRECTORY."""

import json
import os
import pathlib
import subprocess
import sys
import time

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
started = {}


def do(job):
    """One job: run a command to its end, start one that goes on, or ask for the status of such a one."""
    environment = {"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8"}
    if job["kind"] == "status":
        process = started.get(job["process"])
        return {"status": process.poll() if process else -1}
    if job["kind"] == "start":
        with open(job["log"], "ab") as log:
            process = subprocess.Popen(
                job["argv"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True
            )
        started[process.pid] = process
        return {"process": process.pid}
    try:
        done = subprocess.run(
            job["argv"],
            input=job["input"],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=job["timeout"],
            env=environment,
        )
    except subprocess.TimeoutExpired:
        return {"late": True}
    return {"status": done.returncode, "out": done.stdout, "err": done.stderr}


def put(path, content):
    """A file that is there whole or not at all."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(content), encoding="utf-8")
    os.rename(part, path)


def main(directory):
    # After a new start of the machine the earlier jobs are done.
    number = 1
    while (directory / f"{number}.answer").exists():
        number += 1
    put(directory / "ready", {"boot": pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()})
    while True:
        path = directory / f"{number}.job"
        if not path.exists():
            time.sleep(0.02)
            continue
        try:
            answer = do(json.loads(path.read_text(encoding="utf-8")))
        except OSError as error:
            answer = {"status": 127, "out": "", "err": str(error)}
        put(directory / f"{number}.answer", answer)
        number += 1


main(pathlib.Path(sys.argv[1]))
