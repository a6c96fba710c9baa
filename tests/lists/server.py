"""A web server that behaves as badly as it is told to. Each path of `pages` is a function that answers one request."""

import gzip
import socket
import socketserver
import ssl
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler



class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True

    def __init__(self, certificate=None, netns=None):
        """In a namespace it hears on all addresses of both families, else on this host alone."""
        super().__init__(("::", 0) if netns else ("127.0.0.1", 0), Handler, bind_and_activate=False)
        if netns:
            self.socket.close()
            self.socket = netns.socket(socket.AF_INET6, socket.SOCK_STREAM)
        self.server_bind()
        self.server_activate()
        self.pages, self.seen, self.stopping = {}, [], threading.Event()
        self.scheme = "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.socket = context.wrap_socket(self.socket, server_side=True)
            self.scheme = "https"
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()

    def url(self, path):
        return f"{self.scheme}://127.0.0.1:{self.server_address[1]}{path}"

    def handle_error(self, request, client_address):
        """A client that goes away in the middle is what some tests are about."""

    def close(self):
        self.stopping.set()
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.seen.append((self.path, dict(self.headers)))
        self.server.pages[self.path](self)

    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def text(content, **headers):
    return lambda request: request.answer(200, content.encode(), **headers)


def versioned(content, etag, **headers):
    """As a good server: 304 to whoever has this version."""
    def page(request):
        if request.headers.get("If-None-Match") == etag:
            request.answer(304, ETag=etag, **headers)
        else:
            request.answer(200, content.encode(), ETag=etag, **headers)
    return page


def packed(content):
    return lambda request: request.answer(200, gzip.compress(content), Content_Encoding="gzip")


def status(number):
    return lambda request: request.answer(number, b"<html>an error page</html>")


def redirect(location):
    return lambda request: request.answer(302, Location=location)


def cut_short(content):
    """Promises more than it sends."""
    def page(request):
        request.send_response(200)
        request.send_header("Content-Length", str(len(content) + 1000))
        request.end_headers()
        request.wfile.write(content.encode())
    return page


def drip(request):
    """A byte now and then, for as long as anybody listens."""
    request.send_response(200)
    request.end_headers()
    while not request.server.stopping.wait(0.2):
        request.wfile.write(b"a")
        request.wfile.flush()


def endless(request):
    request.send_response(200)
    request.end_headers()
    while not request.server.stopping.is_set():
        request.wfile.write(b"name.example\n" * 8192)


def certificate(directory, name="127.0.0.1"):
    """(certificate, key) files of a server, signed by itself: whoever trusts the first trusts the server."""
    cert, key = directory / "server.pem", directory / "server.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", f"/CN={name}", "-addext", f"subjectAltName=IP:{name}", "-keyout", key, "-out", cert],
                   check=True, capture_output=True)
    return cert, key


def now():
    return int(time.time())
