"""Opens COUNT connections to ADDRESS, asks each for its page, and holds them.

Says "open" then; at each line of standard input it asks all again, and says how many met their server, and how not.
"""

import collections
import http.client
import sys

address, count = sys.argv[1], int(sys.argv[2])


def ask(connection):
    connection.request("GET", "/")
    return connection.getresponse().read()


held = []
for _ in range(count):
    connection = http.client.HTTPConnection(address, timeout=20)
    # Without this the module would quietly connect anew after the other side has closed.
    connection.auto_open = 0
    connection.connect()
    held.append((connection, ask(connection)))
print("open", flush=True)
for _ in sys.stdin:
    wrong = collections.Counter()
    for connection, page in held:
        try:
            if ask(connection) != page:
                wrong["another server"] += 1
        except (OSError, http.client.HTTPException) as error:
            wrong[repr(error)] += 1
    failed = sum(wrong.values())
    print(f"{len(held) - failed} of {len(held)} go on", *(f"{text}: {number}" for text, number in wrong.items()), flush=True)
