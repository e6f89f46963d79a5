import unittest

import plugin
from gatehouse import Abstain, Allow, Deny, RequestEdit, http, test

CONFIG = {"keys": {"k1": {"name": "alice", "plan": "gold"}}, "profiles": "http://profiles.example"}


class Keys(unittest.TestCase):
    def setUp(self) -> None:
        self.keys = test.start(plugin, CONFIG)

    def test_a_known_key_passes_and_tells_the_plan(self) -> None:
        exchange = test.Exchange("GET", "/orders/1", {"x-api-key": "k1"})
        self.assertEqual(exchange.authorize(self.keys), Allow("alice", attributes={"plan": "gold"}))
        self.assertEqual(exchange.reads, ["header:x-api-key"])

    def test_an_unknown_key_is_refused_and_no_key_is_left_to_others(self) -> None:
        refused = test.Exchange(headers={"x-api-key": "k2"}).authorize(self.keys)
        self.assertEqual(refused, Deny(403, json={"error": "unknown key"}))
        self.assertEqual(test.Exchange().authorize(self.keys), Abstain())

    def test_the_title_of_the_profile_goes_upstream(self) -> None:
        gateway = test.Gateway(server=lambda request: http.Answer(200, body=b'{"title": "keeper"}'))
        exchange = test.Exchange(attributes={"auth.principal": "a/b"}, gateway=gateway)
        self.assertEqual(exchange.on_request(self.keys), RequestEdit(set_headers={"x-profile": "keeper"}))
        self.assertEqual(gateway.sent, ["GET http://profiles.example/a%2Fb"])

    def test_without_a_profile_the_request_goes_on_and_the_log_says_why(self) -> None:
        gateway = test.Gateway(server=lambda request: http.Answer(404))
        exchange = test.Exchange(attributes={"auth.principal": "alice"}, gateway=gateway)
        self.assertIsNone(exchange.on_request(self.keys))
        self.assertEqual(gateway.log, ["warn: no profile of alice: the answer is 404"])


if __name__ == "__main__":
    unittest.main()
