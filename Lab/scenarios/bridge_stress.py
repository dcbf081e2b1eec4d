"""Threads, forks and dying directors: every request is answered once, and no memory is misused (with sanitizers)."""

import subprocess
import time

from runner.host import Failure
from runner.lab import ROOT

LONG = True

ROUNDS = 300


def sanitized(lab):
    """The preload library with checks of every memory access; the loader needs the checkers first."""
    done = subprocess.run(
        [ROOT / "Sources" / "CDirectorPreload" / "build", lab.directory],
        env={"PATH": lab.path, "CC": "cc -fsanitize=address,undefined -fno-sanitize-recover=all"},
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise Failure(f"the library cannot be built with sanitizers:\n{done.stderr}")
    names = ["libasan.so", "libubsan.so"]
    found = [subprocess.run(["cc", f"-print-file-name={name}"], capture_output=True, text=True) for name in names]
    return " ".join([*(one.stdout.strip() for one in found), str(lab.file("libdirector-preload.so"))])


def run(lab):
    lab.build("routed")
    program = lab.compile("bridge/stress.c")
    control = lab.file("control")
    director = lab.director(interfaces=("eth0",), control=str(control))
    variables = [f"LD_PRELOAD={sanitized(lab)}", f"DIRECTOR_CONTROL={control}", "ASAN_OPTIONS=detect_leaks=1"]
    stress = director.host.start("env", *variables, program, str(ROUNDS), stdout=-1, stderr=-1, text=True)
    killed = 0
    while stress.poll() is None and killed < 60:
        time.sleep(0.2)
        director.process.kill()
        director.process.wait()
        time.sleep(0.1)
        director.process = director.host.start("director", "--interface", "eth0", *director.control, log=director.log)
        time.sleep(0.4)
        killed += 1
    output, complaint = stress.communicate(timeout=60)
    print(f"  {output.strip()}; {killed} directors were killed meanwhile")
    if stress.returncode != 0:
        raise Failure(f"status {stress.returncode}:\n{complaint[-3000:]}")
    answered, refused = (int(output.split()[index]) for index in (0, 3))
    if answered + refused != 8 * 3 * ROUNDS or refused > answered // 100 or killed < 1:
        raise Failure(f"of {8 * 3 * ROUNDS} requests {answered} were answered and {refused} refused")
