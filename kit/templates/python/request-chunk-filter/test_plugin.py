import unittest

import plugin
from gatehouse import test


class Counter(unittest.TestCase):
    def test_the_bytes_of_all_pieces_are_counted(self) -> None:
        gateway = test.Gateway()
        counter = test.start(plugin, gateway=gateway)
        exchange = test.Exchange("POST", "/upload", gateway=gateway)
        self.assertIsNone(exchange.on_request_chunk(counter, "one", False))
        self.assertIsNone(exchange.on_request_chunk(counter, "two", True))
        self.assertEqual(gateway.log, ["info: /upload: 6 bytes"])
