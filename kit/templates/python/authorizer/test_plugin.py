import unittest

import plugin
from gatehouse import Allow, Deny, test


class Gate(unittest.TestCase):
    def test_the_key_opens(self) -> None:
        gate = test.start(plugin, {"key": "k1"})
        exchange = test.Exchange("GET", "/pets", {"x-key": "k1"})
        self.assertEqual(exchange.authorize(gate), Allow("alice"))
        self.assertEqual(exchange.reads, ["header:x-key"])

    def test_another_key_and_none_do_not(self) -> None:
        gate = test.start(plugin, {"key": "k1"})
        for headers in ({"x-key": "k2"}, {}):
            self.assertEqual(test.Exchange(headers=headers).authorize(gate), Deny(403, json={"error": "the key is wrong"}))

    def test_a_configuration_without_a_key_is_refused(self) -> None:
        for config in ({}, {"key": ""}, {"key": 7}):
            self.assertRaises(ValueError, test.start, plugin, config)
