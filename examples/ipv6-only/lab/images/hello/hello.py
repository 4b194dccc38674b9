"""Answers every HTTP request on port 8080, over IPv4 and IPv6, with the name of its pod."""

import os
import signal
import socket
import threading

TEXT = f"hello from {socket.gethostname()}\n"
REPLY = f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {len(TEXT)}\r\nConnection: close\r\n\r\n{TEXT}".encode()


def serve(connection):
    with connection:
        connection.settimeout(10)
        request = b""
        try:
            while b"\r\n\r\n" not in request:
                more = connection.recv(4096)
                if not more:
                    return
                request += more
            connection.sendall(REPLY)
        except OSError:
            pass


# Process 1 ends by a signal only if it says so.
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
listener = socket.socket(socket.AF_INET6)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
listener.bind(("::", 8080))
listener.listen(64)
while True:
    connection, _ = listener.accept()
    threading.Thread(target=serve, args=(connection,), daemon=True).start()
