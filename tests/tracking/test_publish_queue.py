"""Tasks that are put off while the store is away, done when it is back, and never piled up."""

import threading
import time

import pytest

from harness.errors import OutOfReach, TrackingError
from harness.tracking import publish_queue
from harness.tracking.publish_queue import LAST, PublishQueue


@pytest.fixture
def store(monkeypatch):
    """A store that may be away; what was done there, and what was tried."""
    monkeypatch.setattr(publish_queue, "FIRST_RETRY_SECONDS", 0.05)

    class Store:
        def __init__(self):
            self.away, self.done, self.tried = False, [], []

        def task(self, name):
            def do():
                self.tried.append(name)
                if self.away:
                    raise OutOfReach("nobody there")
                self.done.append(name)

            return do

    return Store()


@pytest.fixture
def made(store):
    """Makes an outbox for that store; it is closed at the end."""
    boxes = []

    def make():
        boxes.append(PublishQueue(store.task("open"), time.monotonic))
        return boxes[-1]

    yield make
    for box in boxes:
        box.close(0.0)


def until(true, seconds=30.0):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_what_is_owed_is_done_when_the_store_is_back(store, made, caplog):
    store.away = True
    box = made()
    for number in range(3):
        box.put(f"run{number}", store.task(f"run{number}"))
    until(lambda: len(store.tried) > 2)
    assert (str(box.error), set(store.tried)) == ("nobody there", {"open"})
    store.away = False
    until(lambda: not len(box))
    assert (box.error, store.done) == (None, ["open", "run0", "run1", "run2"])
    store.away = True
    box.put("run3", store.task("run3"))
    until(lambda: box.error is not None)
    store.away = False
    box.close()
    assert (box.error, store.done[-1]) == (None, "run3")
    first, back, *second = caplog.messages
    assert first == "not published for now, training goes on: nobody there"
    assert "is back" in back
    assert second == [first, back]


def test_at_the_end_it_is_tried_once_more_and_then_kept(store, made, monkeypatch):
    monkeypatch.setattr(publish_queue, "FIRST_RETRY_SECONDS", 1e6)
    store.away = True
    box = made()
    box.put("run", store.task("run"))
    until(lambda: box.error is not None)
    box.close()
    assert store.tried == ["open", "open"]
    assert (str(box.error), len(box)) == ("nobody there", 2)


def test_a_store_that_is_away_is_tried_ever_more_rarely(store, made):
    store.away = True
    box = made()
    until(lambda: len(store.tried) >= 4)
    assert box._wait == pytest.approx(0.05 * 2 ** len(store.tried))
    assert publish_queue.LONGEST_RETRY_SECONDS == 60


def test_what_is_refused_is_left_aside_and_the_rest_is_done(store, made, caplog):
    box = made()

    def refused():
        raise TrackingError("no such name")

    def wrong():
        raise ZeroDivisionError("a bug")

    for name, do in (("a", refused), ("b", wrong), (LAST, store.task("last"))):
        box.put(name, do)
    box.close()
    assert (store.done, str(box.error)) == (["open", "last"], "no such name")
    assert len(caplog.messages) == 1


def test_while_the_store_is_away_only_the_latest_snapshot_of_a_run_is_kept(store, made):
    store.away = True
    box, threads = made(), threading.active_count()
    for number in range(1000):
        box.put_snapshot(f"run{number % 3}", store.task(f"seen{number}"), 0.0)
    assert (len(box), threading.active_count()) == (4, threads)
    box.put("run0", store.task("end0"))
    box.put_snapshot("run0", store.task("late"), 0.0)
    store.away = False
    until(lambda: not len(box))
    assert sorted(store.done) == ["end0", "open", "seen997", "seen998"]


def test_a_store_that_never_answers_does_not_keep_the_program(store, made, monkeypatch):
    silent = threading.Event()
    box = made()
    box.put("run", silent.wait)
    box.close(0.0)
    assert "no time" in str(box.error)
    monkeypatch.setattr(publish_queue, "HUNG_SECONDS", 0.2)
    hung = PublishQueue(silent.wait, lambda: 0.0)
    hung.close()
    assert hung.error is not None
    silent.set()


def test_what_is_urgent_comes_next(store, made):
    store.away = True
    box = made()
    for name in ("a", "b", "c"):
        box.put(name, store.task(name))
    box.put("c", store.task("stopped"), urgent=True)
    store.away = False
    box.close()
    assert store.done == ["open", "stopped", "a", "b"]


def test_when_time_is_up_only_the_last_is_done(store, made):
    begun, busy = threading.Event(), threading.Event()
    box = made()
    box.put("slow", lambda: begun.set() or busy.wait())
    begun.wait()
    for name in ("a", "b"):
        box.put(name, store.task(name))
    box.put(LAST, store.task("last"))
    late = threading.Timer(0.5, busy.set)
    late.start()
    box.close(0.1)
    late.join()
    assert store.done == ["open", "last"]
    assert "no time" in str(box.error)
