"""What parsers and servers of Python, and servers of Debian, read of requests: `parsers.py NAME < cases > readings`.

A case is a JSON object with `raw`, the bytes of its requests, each a character, and `count`, how many there should be. Of
each case is told a list of requests, or why it was refused: a text.
"""

import asyncio
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import time

PATIENCE = 5


def text(value):
    return value.decode("latin-1") if isinstance(value, (bytes, bytearray)) else value


def request(method, target, headers, body):
    fields = [[text(name).lower(), text(value)] for name, value in headers]
    return {"method": text(method), "target": text(target), "headers": fields, "body": text(bytes(body))}


def h11(raw):
    import h11

    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    connection.receive_data(raw)
    read, head, body = [], None, b""
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            if connection.trailing_data[0] or head is not None:
                raise ValueError("bytes are left over")
            return read
        if event is h11.PAUSED:
            connection.start_next_cycle()
        elif isinstance(event, h11.Request):
            head, body = event, b""
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            read.append(request(head.method, head.target, head.headers, body))
            head = None
            connection.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
            connection.send(h11.EndOfMessage())
            connection.start_next_cycle()


def httptools(raw):
    import httptools

    read = []

    class Reader:
        def on_message_begin(self):
            self.url, self.headers, self.body = b"", [], b""

        def on_url(self, url):
            self.url += url

        def on_header(self, name, value):
            self.headers.append((name, value))

        def on_body(self, body):
            self.body += body

        def on_message_complete(self):
            read.append(request(parser.get_method(), self.url, self.headers, self.body))

    parser = httptools.HttpRequestParser(Reader())
    parser.feed_data(raw)
    return read


def gunicorn(raw):
    from gunicorn.config import Config
    from gunicorn.http.parser import RequestParser

    settings = Config()
    # All fields as they are, of any size: it is how they are read that counts here.
    settings.set("header_map", "dangerous")
    settings.set("limit_request_line", 0)
    settings.set("limit_request_field_size", 0)
    settings.set("limit_request_fields", 32768)
    settings.set("permit_unconventional_http_method", True)
    read = []
    for message in RequestParser(settings, iter([raw]), ("127.0.0.1", 1)):
        read.append(request(message.method, message.uri, message.headers, message.body.read()))
    return read


def waitress(raw):
    from waitress.adjustments import Adjustments
    from waitress.parser import HTTPRequestParser

    read = []
    while raw:
        parser = HTTPRequestParser(Adjustments(max_request_header_size=1 << 20))
        while not parser.completed and raw:
            taken = parser.received(raw)
            raw = raw[taken:]
        if parser.error or not parser.completed:
            raise ValueError(str(parser.error and parser.error.body))
        # Its names are those of CGI: an underscore could have been a hyphen.
        headers = [(name.replace("_", "-"), value) for name, value in parser.headers.items()]
        target = parser.first_line.split(b" ")[1]
        read.append(request(parser.command, target, headers, parser.get_body_stream().getvalue()))
    return read


def aiohttp(raw):
    from unittest import mock

    from aiohttp.http_parser import HttpRequestParserPy

    loop = asyncio.new_event_loop()
    try:
        protocol = mock.Mock(_reading_paused=False)
        parser = HttpRequestParserPy(protocol, loop, 1 << 20, max_line_size=1 << 20, max_field_size=1 << 20)
        messages, upgraded, tail = parser.feed_data(raw)
        if upgraded or tail:
            raise ValueError("bytes are left over")
        read = []
        for message, payload in messages:
            if not payload.is_eof():
                raise ValueError("a body is not whole")
            body = b"".join(getattr(payload, "_buffer", ()))
            read.append(request(message.method, message.path, message.raw_headers, body))
        return read
    finally:
        loop.close()


def tornado_server(port_of):
    """Serves on a thread; tells its port, and what it has read."""
    from tornado.httpserver import HTTPServer
    from tornado.httputil import HTTPServerConnectionDelegate, HTTPMessageDelegate, ResponseStartLine, HTTPHeaders

    read = []

    class Message(HTTPMessageDelegate):
        def __init__(self, connection):
            self.connection, self.body = connection, b""

        def headers_received(self, start, headers):
            self.start, self.headers = start, headers

        def data_received(self, chunk):
            self.body += chunk

        def finish(self):
            read.append(request(self.start.method, self.start.path, self.headers.get_all(), self.body.decode("latin-1").encode("latin-1")))
            line = ResponseStartLine("HTTP/1.1", 200, "OK")
            self.connection.write_headers(line, HTTPHeaders({"Content-Length": "0"}))
            self.connection.finish()

    class Server(HTTPServer, HTTPServerConnectionDelegate):
        def start_request(self, server, connection):
            return Message(connection)

    def serve():
        async def run():
            server = Server(lambda message: None, max_header_size=1 << 20, max_body_size=1 << 30)
            sock = socket.socket()
            sock.bind(("127.0.0.1", 0))
            sock.listen()
            sock.setblocking(False)
            server.add_socket(sock)
            port_of.append(sock.getsockname()[1])
            await asyncio.Event().wait()

        asyncio.run(run())

    threading.Thread(target=serve, daemon=True).start()
    while not port_of:
        time.sleep(0.01)
    return read


def ask(port, raw, count):
    """Sends bytes and reads until so many answers have come and the other end has closed; the statuses."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as sock:
        answers, ended = b"", False
        try:
            sock.sendall(raw)
            while answers.count(b"HTTP/1.1 ") < count:
                piece = sock.recv(1 << 16)
                if not piece:
                    ended = True
                    break
                answers += piece
            if not ended:
                sock.shutdown(socket.SHUT_WR)
                while piece := sock.recv(1 << 16):
                    answers += piece
        except (ConnectionError, TimeoutError):
            pass
    return [int(part[:3]) for part in answers.split(b"HTTP/1.1 ")[1:]]


def served(port, read, raw, count):
    """What a server has read, once it has answered."""
    read.clear()
    statuses = ask(port, raw, count)
    refused = [status for status in statuses if status >= 400]
    if refused:
        raise ValueError(f"refused with {refused[0]}")
    return list(read)


def recorder():
    """An upstream that reads plainly what a server in front of it forwards; its port, and what it has read."""
    read = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(sock):
        with sock, sock.makefile("rb") as file:
            while line := file.readline():
                method, target, _ = line.decode("latin-1").split(" ")
                headers, body = [], b""
                while (field := file.readline()) != b"\r\n":
                    name, value = field.decode("latin-1").rstrip("\r\n").split(":", 1)
                    headers.append((name.lower(), value.strip(" \t")))
                fields = dict(headers)
                if "chunked" in fields.get("transfer-encoding", ""):
                    while size := int(file.readline().split(b";")[0], 16):
                        body += file.read(size)
                        file.readline()
                    while file.readline() != b"\r\n":
                        pass
                else:
                    body = file.read(int(fields.get("content-length", 0)))
                read.append(request(method, target, headers, body))
                sock.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")

    def guarded(sock):
        try:
            serve(sock)
        except (ConnectionError, ValueError):
            pass

    def accept():
        while True:
            threading.Thread(target=guarded, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return listener.getsockname()[1], read


NGINX = """
daemon off; master_process off; worker_processes 1; pid {folder}/pid; error_log stderr crit;
events {{ worker_connections 200; }}
http {{
  access_log off; underscores_in_headers on; large_client_header_buffers 4 64k; client_max_body_size 0;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://127.0.0.1:{upstream}; proxy_http_version 1.1;
      proxy_set_header Host $http_host; proxy_set_header Connection "";
    }}
  }}
}}
"""

HAPROXY = """
global
  tune.bufsize 65536
  tune.http.maxhdr 400
defaults
  mode http
  timeout client 5s
  timeout server 5s
  timeout connect 5s
listen all
  bind 127.0.0.1:{port}
  server up 127.0.0.1:{upstream}
"""

APACHE = """
ServerName localhost
ServerRoot {folder}
PidFile {folder}/pid
ErrorLog {folder}/errors
LogLevel crit
Listen 127.0.0.1:{port}
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule proxy_module {modules}/mod_proxy.so
LoadModule proxy_http_module {modules}/mod_proxy_http.so
DefaultRuntimeDir {folder}
User www-data
Group www-data
LimitRequestFields 400
LimitRequestFieldSize 65536
LimitRequestLine 65536
AllowEncodedSlashes NoDecode
ProxyAddHeaders Off
ProxyPreserveHost On
KeepAliveTimeout 2
ProxyPass / http://127.0.0.1:{upstream}/ nocanon
"""

LIGHTTPD = """
server.document-root = "{folder}"
server.port = {port}
server.bind = "127.0.0.1"
server.modules = ("mod_proxy")
server.max-request-field-size = 65535
server.errorlog = "{folder}/errors"
server.http-parseopts = ("url-normalize" => "disable")
proxy.server = ("" => (("host" => "127.0.0.1", "port" => {upstream})))
proxy.header = ("force-http10" => "disable")
"""

DEBIAN = {
    "nginx": (NGINX, ["/usr/sbin/nginx", "-c", "{file}"]),
    "haproxy": (HAPROXY, ["/usr/sbin/haproxy", "-db", "-q", "-f", "{file}"]),
    "apache": (APACHE, ["/usr/sbin/apache2", "-D", "FOREGROUND", "-f", "{file}"]),
    "lighttpd": (LIGHTTPD, ["/usr/sbin/lighttpd", "-D", "-f", "{file}"]),
}


def behind(name, cases):
    """What a server of Debian makes of the cases, read by an upstream behind it."""
    configuration, command = DEBIAN[name]
    upstream, read = recorder()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        file = pathlib.Path(folder, "configuration")
        file.write_text(configuration.format(folder=folder, port=port, upstream=upstream, modules="/usr/lib/apache2/modules"))
        server = subprocess.Popen([part.format(file=file) for part in command], stdout=subprocess.DEVNULL)
        try:
            for _ in range(1000):
                try:
                    socket.create_connection(("127.0.0.1", port)).close()
                    break
                except ConnectionRefusedError:
                    time.sleep(0.01)
            return [reading(lambda: served(port, read, case["raw"].encode("latin-1"), case["count"])) for case in cases]
        finally:
            server.terminate()
            server.wait()


def reading(read):
    try:
        return read()
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:200]


def main(name):
    cases = json.load(sys.stdin)
    if name in DEBIAN:
        readings = behind(name, cases)
    elif name == "tornado":
        port_of = []
        read = tornado_server(port_of)
        readings = [
            reading(lambda: served(port_of[0], read, case["raw"].encode("latin-1"), case["count"])) for case in cases
        ]
    else:
        parse = globals()[name]
        readings = [reading(lambda: parse(case["raw"].encode("latin-1"))) for case in cases]
    json.dump(readings, sys.stdout)


main(sys.argv[1])
