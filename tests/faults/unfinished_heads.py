"""Opens connections, sends unfinished heads, and prints seconds until the server has closed all.

`python unfinished_heads.py ADDRESS COUNT`. It runs in a pod, where nothing of the project is.
"""

import contextlib
import resource
import selectors
import socket
import sys
import time

HEAD = b"POST / HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 15_000
PORT, PATIENCE_SECONDS = 8080, 60
_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
with contextlib.ExitStack() as opened, selectors.DefaultSelector() as selector:
    for _ in range(int(sys.argv[2])):
        client = socket.create_connection((sys.argv[1], PORT), PATIENCE_SECONDS)
        opened.enter_context(client)
        with contextlib.suppress(ConnectionError):
            client.sendall(HEAD)
        selector.register(client, selectors.EVENT_READ)
    last = time.monotonic()
    while selector.get_map():
        ended = selector.select(PATIENCE_SECONDS)
        if not ended:
            sys.exit(f"{len(selector.get_map())} connections stay open")
        for key, _ in ended:
            with contextlib.suppress(ConnectionError):
                if key.fileobj.recv(1):
                    sys.exit("an unfinished head was answered")
            selector.unregister(key.fileobj)
print(time.monotonic() - last)
