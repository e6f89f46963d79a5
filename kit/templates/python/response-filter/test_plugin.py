import unittest

import plugin
from gatehouse import ResponseEdit, test


class Discreet(unittest.TestCase):
    def test_the_header_goes_where_it_is(self) -> None:
        exchange = test.Exchange(response_headers={"x-powered-by": "a program"})
        self.assertEqual(exchange.on_response(plugin), ResponseEdit(remove_headers=["x-powered-by"]))
        self.assertIsNone(test.Exchange().on_response(plugin))
