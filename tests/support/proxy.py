"""A proxy in front of a real tracking server, which can be told to harm what passes through it."""

import http.client
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

Fault = Callable[["Proxy", str], str]  # of the request, as "POST /path": what is done to it


class Proxy:
    """Forwards each request, unless `fault` says how it is harmed; its address is `uri`."""

    def __init__(self, upstream: str, uri: str) -> None:
        self.upstream, self.uri = upstream, uri
        self.fault: Fault = lambda proxy, request: ""
        self.seen: list[str] = []
        self.lock = threading.Lock()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        request = f"{handler.command} {handler.path.partition('?')[0]}"
        with self.lock:
            self.seen.append(request)
            harm = self.fault(self, request)
        if harm == "late":
            time.sleep(0.5)
        elif harm == "500":
            handler.send_error(500)
            return
        if harm != "reset before":
            with suppress(OSError, http.client.HTTPException):
                status, headers, content = self.ask(handler, body)
                if harm != "reset after":
                    reply(handler, status, headers, content)
                    return
        reset(handler.connection)
        handler.close_connection = True

    def ask(self, handler: BaseHTTPRequestHandler, body: bytes):
        there = http.client.HTTPConnection(urlsplit(self.upstream).netloc, timeout=60)
        headers = {k: v for k, v in handler.headers.items() if k.lower() != "host"}
        there.request(handler.command, handler.path, body, headers)
        answer = there.getresponse()
        content = answer.read()
        there.close()
        return answer.status, answer.getheaders(), content


def reply(handler, status, headers, content):
    handler.send_response(status)
    for name, value in headers:
        if name.lower() not in ("transfer-encoding", "content-length", "connection"):
            handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)


def reset(connection: socket.socket) -> None:
    """Hang up without a word: the other side gets `connection reset by peer`."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.detach() if connection.fileno() < 0 else socket.close(connection.detach())


class Forwarder(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """What happens to a connection that was reset is meant to happen."""


@contextmanager
def proxy_of(upstream: str) -> Iterator[Proxy]:
    """A proxy on a port of its own."""

    class Handler(BaseHTTPRequestHandler):
        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline(65537)
            if self.raw_requestline and self.parse_request():
                proxy.answer(self)
            else:
                self.close_connection = True

        def log_message(self, *arguments: object) -> None:
            pass

    with Forwarder(("127.0.0.1", 0), Handler) as server:
        proxy = Proxy(upstream, f"http://127.0.0.1:{server.server_address[1]}")
        threading.Thread(target=server.serve_forever, args=[0.05], daemon=True).start()
        yield proxy
        server.shutdown()
