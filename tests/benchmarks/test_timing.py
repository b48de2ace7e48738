import gc
import itertools

import pytest

from benchmarks.timing import FEW, SLOW, Contender, race


class Clockwork:
    """A contender that says how long it took, without taking it."""

    def __init__(self, name, seconds, diary):
        self.name, self.seconds, self.diary = name, itertools.cycle(seconds), diary

    def contender(self):
        def measure(times):
            self.diary.append((self.name, times))
            return times * next(self.seconds)

        return Contender(self.name, measure)


def test_samples_are_seconds_of_one_run():
    diary = []
    fast, slow = Clockwork("fast", [0.001], diary), Clockwork("slow", [0.25], diary)
    samples = race([fast.contender(), slow.contender()], rounds=3, turn=0.1)
    assert samples == {"fast": pytest.approx([0.001] * 3), "slow": pytest.approx([0.25] * 3)}


def test_a_turn_is_filled_and_begins_with_a_run_that_does_not_count():
    diary = []
    race([Clockwork("a", [0.01], diary).contender()], rounds=2, turn=0.05)
    assert diary[-4:] == [("a", 1), ("a", 5), ("a", 1), ("a", 5)]


def test_everyone_is_first_in_turn():
    diary = []
    contenders = [Clockwork(name, [0.05], diary).contender() for name in "abc"]
    race(contenders, rounds=3, turn=0.1)
    counted = [name for name, times in diary if times == 2]
    assert counted == list("abcbcacab")


def test_the_first_slow_run_does_not_set_the_length_of_turns():
    diary = []
    race([Clockwork("a", [1.0, 0.01], diary).contender()], rounds=1, turn=0.05, warm_up=1.005)
    assert diary[-1] == ("a", 5)


def test_the_slow_have_few_turns_and_no_run_that_does_not_count():
    diary = []
    slow, fast = Clockwork("slow", [2 * SLOW], diary), Clockwork("fast", [0.05], diary)
    samples = race([slow.contender(), fast.contender()], rounds=FEW + 5, turn=0.1)
    assert {name: len(seconds) for name, seconds in samples.items()} == {"slow": FEW, "fast": FEW + 5}
    assert diary.count(("slow", 1)) == 1 + FEW  # the first to warm up
    assert all(name == "fast" for name, _ in diary[-10:])  # in the last rounds


def test_garbage_is_not_collected_during_turns():
    enabled = []

    def measure(times):
        enabled.append(gc.isenabled())
        return 0.1

    race([Contender("a", measure)], rounds=2, turn=0.1)
    assert enabled == [True, False, False, False, False]
    assert gc.isenabled()


def test_garbage_is_collected_again_after_a_failure():
    def measure(times):
        if not gc.isenabled():
            raise ZeroDivisionError
        return 1.0

    with pytest.raises(ZeroDivisionError):
        race([Contender("a", measure)], rounds=1, turn=0.1)
    assert gc.isenabled()
