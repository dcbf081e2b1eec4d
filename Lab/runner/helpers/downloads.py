"""Fetches http://ADDRESS/payload COUNT times side by side, each at RATE bytes a second, and compares its sha256 with SHA256.

Says "N running" when all have begun, then, at the end, how many came whole, and how the others failed.
"""

import collections
import hashlib
import http.client
import sys
import threading
import time

address, count, rate, expected = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
begun = threading.Barrier(count + 1)
results = collections.Counter()


def fetch():
    try:
        connection = http.client.HTTPConnection(address, timeout=30)
        connection.request("GET", "/payload")
        response = connection.getresponse()
    finally:
        begun.wait()
    digest, taken, start = hashlib.sha256(), 0, time.monotonic()
    while piece := response.read(1 << 18):
        digest.update(piece)
        taken += len(piece)
        time.sleep(max(0.0, start + taken / rate - time.monotonic()))
    results["whole" if digest.hexdigest() == expected else f"damaged after {taken} bytes"] += 1


def guarded():
    try:
        fetch()
    except (OSError, http.client.HTTPException) as error:
        results[repr(error)] += 1


threads = [threading.Thread(target=guarded, daemon=True) for _ in range(count)]
for thread in threads:
    thread.start()
begun.wait()
print(f"{count} running", flush=True)
for thread in threads:
    thread.join()
print(*(f"{number} {text}" for text, number in results.items()), sep=", ", flush=True)
