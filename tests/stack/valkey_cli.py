#!/usr/bin/env python3
"""`valkey-cli ping`, which the wheel with the server lacks: what the image's program would say."""

import os
import socket
import sys

if sys.argv[1:] != ["ping"]:
    sys.exit(f"this stand-in knows only ping, not {sys.argv[1:]}")
with socket.create_connection(("127.0.0.1", 6379), timeout=2) as server:
    password = os.environ["REDISCLI_AUTH"]
    server.sendall(f"AUTH {password}\r\nPING\r\n".encode())
    answer = b""
    while answer.count(b"\r\n") < 2:
        answer += server.recv(100)
print(answer.decode().split("\r\n")[1].removeprefix("+"))  # noqa: T201 - a command
