import unittest

import plugin
from gatehouse import test


class Counter(unittest.TestCase):
    def test_the_bytes_of_all_pieces_are_counted(self) -> None:
        gateway = test.Gateway()
        counter = test.start(plugin, gateway=gateway)
        exchange = test.Exchange("GET", "/download", gateway=gateway)
        self.assertIsNone(exchange.on_response_chunk(counter, "one", False))
        self.assertIsNone(exchange.on_response_chunk(counter, "two", True))
        self.assertEqual(gateway.log, ["info: /download: 6 bytes"])
