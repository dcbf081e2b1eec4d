"""Reads paths from standard input, fetches each over one connection to ADDRESS, prints "ok PAGE" or what went wrong."""

import http.client
import sys

connection = http.client.HTTPConnection(sys.argv[1], timeout=10)
# Without this the module would quietly connect anew after the other side has closed.
connection.auto_open = 0
connection.connect()
for line in sys.stdin:
    try:
        connection.request("GET", line.strip())
        page = connection.getresponse().read().decode()
        print("ok", page.strip(), flush=True)
    except (OSError, http.client.HTTPException) as error:
        print("error", repr(error), flush=True)
