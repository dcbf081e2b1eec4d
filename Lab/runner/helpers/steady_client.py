"""Asks ADDRESS for its page again and again, each time on a connection of its own; gives up after SECONDS.

A line each: when the request began and ended (monotonic clock), "ok" or "failed", and the page or what went wrong.
"""

import http.client
import sys
import time

address, seconds = sys.argv[1], float(sys.argv[2])
while True:
    began = time.monotonic()
    try:
        connection = http.client.HTTPConnection(address, timeout=seconds)
        connection.request("GET", "/")
        word, text = "ok", connection.getresponse().read().decode().strip()
        connection.close()
    except (OSError, http.client.HTTPException) as error:
        word, text = "failed", repr(error)
    print(f"{began:.3f} {time.monotonic():.3f} {word} {text}", flush=True)
    time.sleep(0.02)
