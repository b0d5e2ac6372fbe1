"""Places for connections: nobody takes the last ones, who has few gets in, and the table is as small as its use."""
import socket as sockets

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.listen.shares import SOURCE_PLACES_MIN, Shares


def address(text: str) -> bytes:
    if ":" in text:
        return sockets.inet_pton(sockets.AF_INET6, text)
    return bytes(10) + b"\xff\xff" + sockets.inet_pton(sockets.AF_INET, text)


def fill(shares: Shares, source: str) -> int:
    """Take as many places as a source gets; return how many."""
    taken = 0
    while not shares.take(address(source)):
        taken += 1
    shares.check()
    return taken


def test_one_source_stops_at_half_and_others_get_in():
    shares = Shares(1000)
    assert fill(shares, "192.0.2.1") == 500
    assert shares.take(address("192.0.2.1")) == "source_share"
    assert fill(shares, "192.0.2.2") == 250
    assert shares.take(address("198.51.100.9")) == ""


def test_a_thousand_panels_behind_one_address_are_welcome_while_there_is_room():
    shares = Shares(20_000)
    assert [shares.take(address("192.0.2.1")) for _ in range(1000)] == [""] * 1000


def test_each_greedy_source_takes_half_of_what_the_ones_before_left():
    shares = Shares(10_000)
    assert [fill(shares, f"203.0.113.{number}") for number in range(5)] == [5000, 2500, 1250, 625, 313]
    assert [shares.take(address("192.0.2.1")) for _ in range(100)] == [""] * 100


def test_sources_that_grow_together_hold_the_same():
    shares = Shares(1000)
    sources, held = [f"203.0.113.{number}" for number in range(4)], [0] * 4
    for _ in range(1000):
        for number, source in enumerate(sources):
            held[number] += not shares.take(address(source))
    assert held == [200] * 4


def test_who_gives_places_back_gets_others():
    shares = Shares(100)
    fill(shares, "192.0.2.1")
    shares.give_back(address("192.0.2.1"))
    assert shares.take(address("192.0.2.1")) == ""
    assert shares.take(address("192.0.2.1")) == "source_share"


def test_a_network_of_64_bits_is_one_source():
    shares = Shares(1000)
    taken = sum(not shares.take(address(f"2001:db8:0:1::{number:x}")) for number in range(1, 900))
    assert (taken, len(shares.by_source)) == (500, 1)
    assert shares.take(address("2001:db8:0:2::1")) == ""
    assert shares.take(address("192.0.2.1")) == shares.take(address("192.0.2.2")) == ""
    assert len(shares.by_source) == 4


@pytest.mark.parametrize("places", [1, 2, SOURCE_PLACES_MIN])
def test_few_places_may_all_go_to_one(places):
    shares = Shares(places)
    assert fill(shares, "192.0.2.1") == places
    assert shares.take(address("192.0.2.2")) == "too_many"


@settings(max_examples=100, deadline=None)
@given(steps=st.lists(st.tuples(st.booleans(), st.integers(0, 5)), max_size=300), places=st.integers(1, 60))
def test_what_is_taken_is_what_was_not_given_back(steps, places):
    shares, held = Shares(places), dict.fromkeys(range(6), 0)
    for take, number in steps:
        if take:
            held[number] += not shares.take(address(f"192.0.2.{number}"))
        elif held[number]:
            held[number] -= 1
            shares.give_back(address(f"192.0.2.{number}"))
        shares.check()
        assert (shares.taken, len(shares.by_source)) == (sum(held.values()), sum(map(bool, held.values())))
