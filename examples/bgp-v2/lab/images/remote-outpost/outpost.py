"""Answers every HTTP request on port 8000, over IPv4 and IPv6. It admits callers by their address: ALLOWED_IPS, separated by commas."""

import os
import signal
import socket
import threading
from ipaddress import ip_address, ip_network

ALLOWED = os.environ.get("ALLOWED_IPS", "")
NETWORKS = [ip_network(text.strip(), strict=False) for text in ALLOWED.split(",") if text.strip()]


def answer(caller):
    if any(ip_address(caller) in network for network in NETWORKS):
        return "200 OK", f"Access granted. Your source IP ({caller}) matches an allowed IP.\n"
    return "403 Forbidden", f"Access denied. Your source IP ({caller}) doesn't match the allowed IPs ({ALLOWED})\n"


def serve(connection, caller):
    with connection:
        connection.settimeout(10)
        request = b""
        try:
            while b"\r\n\r\n" not in request:
                more = connection.recv(4096)
                if not more:
                    return
                request += more
            status, text = answer(caller)
            head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(text)}\r\nConnection: close\r\n\r\n"
            connection.sendall((head + text).encode())
            print(caller, status, flush=True)
        except OSError as error:
            print(caller, error, flush=True)


# Process 1 ends by a signal only if it says so.
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
listener = socket.socket(socket.AF_INET6)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
listener.bind(("::", 8000))
listener.listen(64)
while True:
    connection, address = listener.accept()
    threading.Thread(target=serve, args=(connection, address[0].removeprefix("::ffff:")), daemon=True).start()
