"""A server of gRPC, and a client that makes calls of every kind and prints what came of each as JSON. Messages are bytes, so
that nothing has to be generated."""

import json
import os
import sys
import threading
import time
from concurrent import futures

import grpc

OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
BIG = bytes(range(256)) * 4096 * 8  # 8 MiB
# What the gateway adds to the metadata of an answer.
OWN = ("x-request-id", "via", "date")

cancelled = 0


def unary(request, context):
    sent = {key: value for key, value in context.invocation_metadata() if key.startswith("k-")}
    context.send_initial_metadata([("k-begin", "1"), *sent.items()])
    context.set_trailing_metadata([("k-end", "2"), ("k-end-bin", b"\x00\xff")])
    return request


def fails(request, context):
    context.set_trailing_metadata([("k-end", "2")])
    context.abort(grpc.StatusCode.FAILED_PRECONDITION, "not now: 100 %\nü")


def counts(request, context):
    for number in range(int(request)):
        yield b"%d" % number


def sums(requests, context):
    return b"%d" % sum(len(request) for request in requests)


def echoes(requests, context):
    yield from requests


def breaks(request, context):
    yield b"first"
    context.abort(grpc.StatusCode.DATA_LOSS, "in the middle")


def slow(request, context):
    global cancelled
    ended = threading.Event()
    context.add_callback(ended.set)
    ended.wait(30)
    cancelled += 1
    return b""


def gone(request, context):
    yield b"first"
    time.sleep(0.2)
    os._exit(0)


METHODS = {
    "Unary": grpc.unary_unary_rpc_method_handler(unary),
    "Fails": grpc.unary_unary_rpc_method_handler(fails),
    "Counts": grpc.unary_stream_rpc_method_handler(counts),
    "Sums": grpc.stream_unary_rpc_method_handler(sums),
    "Echoes": grpc.stream_stream_rpc_method_handler(echoes),
    "Breaks": grpc.unary_stream_rpc_method_handler(breaks),
    "Slow": grpc.unary_unary_rpc_method_handler(slow),
    "Cancelled": grpc.unary_unary_rpc_method_handler(lambda request, context: b"%d" % cancelled),
    "Gone": grpc.unary_stream_rpc_method_handler(gone),
}


def read(path):
    with open(path, "rb") as file:
        return file.read()


def serve(address, secure, certificate, key):
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=64), options=OPTIONS)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("calls.Calls", METHODS),))
    server.add_insecure_port(address)
    server.add_secure_port(secure, grpc.ssl_server_credentials([(read(key), read(certificate))]))
    server.start()
    server.wait_for_termination()


def pairs(metadata):
    return sorted([key, value if isinstance(value, str) else value.hex()] for key, value in metadata or () if key not in OWN)


def outcome(call, response):
    """What came of a call: its status, what it says, what was answered."""
    try:
        answered = response(call)
    except grpc.RpcError as error:
        answered = None if error is call else repr(type(error))
    return [call.code().name, call.details(), answered, pairs(call.initial_metadata()), pairs(call.trailing_metadata())]


class Client:
    def __init__(self, address, ca, metadata=()):
        if ca:
            self.channel = grpc.secure_channel(address, grpc.ssl_channel_credentials(read(ca)), OPTIONS)
        else:
            self.channel = grpc.insecure_channel(address, OPTIONS)
        self.metadata = tuple(metadata)

    def one(self, method, request, timeout=20, metadata=()):
        call = self.channel.unary_unary("/calls.Calls/" + method)
        return call.future(request, timeout=timeout, metadata=self.metadata + tuple(metadata))

    def many(self, method, request, timeout=20):
        return self.channel.unary_stream("/calls.Calls/" + method)(request, timeout=timeout, metadata=self.metadata)

    def unary(self, method, request, timeout=20, metadata=()):
        return outcome(self.one(method, request, timeout, metadata), lambda call: call.result().hex()[:64])

    def streamed(self, method, request):
        return outcome(self.many(method, request), lambda call: [message.decode() for message in call])

    def cancelled(self):
        return int(self.one("Cancelled", b"").result())

    def one_more_is_cancelled(self, act):
        """A deadline, or a client that gives up, reaches the server."""
        before = self.cancelled()
        came = act()
        end = time.monotonic() + 5
        while self.cancelled() == before and time.monotonic() < end:
            time.sleep(0.02)
        return [came, self.cancelled() - before]


def taken_back(client):
    call = client.one("Slow", b"")
    time.sleep(0.3)
    call.cancel()
    return call.code().name


def turns(client):
    """Each message is answered before the next is sent."""
    heard = threading.Semaphore(1)

    def messages():
        for number in range(20):
            assert heard.acquire(timeout=5)
            yield b"%d" % number

    call = client.channel.stream_stream("/calls.Calls/Echoes")(messages(), timeout=20, metadata=client.metadata)
    answered = []
    for message in call:
        answered.append(message.decode())
        heard.release()
    return [call.code().name, answered]


def at_once(client):
    calls = [client.one("Unary", b"%d" % number) for number in range(300)]
    return sorted({call.code().name for call in calls}), sum(int(call.result()) for call in calls)


def uploaded(client):
    call = client.channel.stream_unary("/calls.Calls/Sums").future(
        iter([BIG] * 4), timeout=20, metadata=client.metadata
    )
    return [call.result().decode(), call.code().name]


def calls(client):
    """Every kind of call, with what came of it."""
    return {
        "unary": client.unary("Unary", b"hello", metadata=[("k-a", "b"), ("k-c-bin", b"\x01\x02")]),
        "empty": client.unary("Unary", b""),
        "big": [client.one("Unary", BIG).result() == BIG, client.unary("Unary", BIG)],
        "fails": client.unary("Fails", b""),
        "unknown method": client.unary("Nothing", b"")[:2],
        "server streams": client.streamed("Counts", b"500"),
        "server streams nothing": client.streamed("Counts", b"0"),
        "client streams": uploaded(client),
        "both stream": turns(client),
        "breaks in the middle": client.streamed("Breaks", b""),
        "300 at once": at_once(client),
        "deadline": client.one_more_is_cancelled(lambda: client.unary("Slow", b"", timeout=0.3)[:2]),
        "cancelled": client.one_more_is_cancelled(lambda: taken_back(client)),
    }


def own(address):
    """What the gateway says itself."""

    def said(to, *more):
        return Client(address, None, [("x-to", to), *more]).unary("Unary", b"hello")[:3]

    return {
        "denied": said("keyed"),
        "allowed": said("keyed", ("x-api-key", "demo-alice-key")),
        "limited": [said("limited") for _ in range(2)][1],
        "down": said("down"),
        "late": Client(address, None, [("x-to", "late")]).unary("Slow", b"")[:2],
        "no route": said("nowhere"),
        "gone": Client(address, None, [("x-to", "plain")]).streamed("Gone", b"")[0],
    }


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    if what == "serve":
        serve(*rest)
    elif what == "calls":
        address, to, ca = rest
        print(json.dumps(calls(Client(address, ca, [("x-to", to)]))))
    else:
        print(json.dumps(own(*rest)))
