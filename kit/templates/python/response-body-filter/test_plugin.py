import unittest

import plugin
from gatehouse import ResponseEdit, test


class NoPasswords(unittest.TestCase):
    def test_the_password_goes(self) -> None:
        exchange = test.Exchange("GET", "/me", response_headers={"content-type": "application/json"})
        changed = exchange.on_response_body(plugin, '{"name": "alice", "password": "secret"}')
        self.assertEqual(changed, ResponseEdit(body='{"name":"alice"}'))
        self.assertIsNone(exchange.on_response_body(plugin, "{}"))
