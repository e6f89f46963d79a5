import unittest

import plugin
from gatehouse import test


class Lines(unittest.TestCase):
    def test_an_exchange_becomes_a_line(self) -> None:
        exchange = test.Exchange("GET", "/pets", status=200, duration=0.0021)
        exchange.log(plugin)
        self.assertEqual(exchange.gateway.log, ["info: GET /pets 200 2 ms"])
