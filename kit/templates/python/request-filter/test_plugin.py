import unittest

import plugin
from gatehouse import RequestEdit, test


class Caller(unittest.TestCase):
    def test_the_upstream_is_told_who_asks(self) -> None:
        exchange = test.Exchange(client_ip="192.0.2.7")
        self.assertEqual(exchange.on_request(plugin), RequestEdit(set_headers={"x-caller": "192.0.2.7"}))
