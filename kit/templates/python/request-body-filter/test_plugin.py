import unittest

import plugin
from gatehouse import Reply, test


class OnlyJson(unittest.TestCase):
    def test_what_is_not_json_is_refused(self) -> None:
        exchange = test.Exchange("POST", "/pets", {"content-type": "application/json"})
        self.assertIsNone(exchange.on_request_body(plugin, "{}"))
        self.assertEqual(exchange.on_request_body(plugin, "{"), Reply(400, json={"error": "the body is no JSON"}))

    def test_other_bodies_are_not_looked_at(self) -> None:
        self.assertIsNone(test.Exchange("POST", "/pets").on_request_body(plugin, "{"))
