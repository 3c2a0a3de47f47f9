"""The rounds of a storm: what is started, and how it dies. Each round sends more messages."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from multiprocessing.process import BaseProcess

from ev_platform_tests.storm.victims import COMPACT_POINTS, INGEST_POINTS, live
from ev_platform_tests.storm.world import DAYS, World, pause

_MESSAGES = 120
_REACHED_SECONDS = 15.0
_FINISH_SECONDS = 180.0

CONTROL_POINTS = {"CommitsWhatWasRead": "after_commit", "DrainsWhatWasRead": "before_put"}
"""Where a victim that commits what it read must have lost something: lines committed, and in memory only."""

_context = multiprocessing.get_context("forkserver")


def quick_starts() -> None:
    """Victims of this process start with all modules loaded. There is one such server per process: not for tests."""
    _context.set_forkserver_preload(["ev_platform_tests.storm.victims"])


class Storm:
    """Starts victims, kills them, counts the kills by how and where."""

    def __init__(self, world: World, kind: str) -> None:
        self.world = world
        self.kind = kind
        self.kills: Counter[str] = Counter()
        self._chance = world.chance

    # -- victims ------------------------------------------------------------------------------------------------------

    def start(self, kind: str = "", point: str = "", hit: int = 1) -> BaseProcess:
        """A victim that dies by itself at the `hit`-th passing of `point`, or lives on."""
        job = {
            "kind": kind or self.kind,
            "settings": self.world.settings.model_dump(exclude_unset=True),
            "environment": {**self.world.environment, "EV_START_DAY": "2026-10-01"},
            "days": DAYS,
            "point": point,
            "hit": hit,
        }
        child = _context.Process(target=live, args=(job,))
        child.start()
        return child

    def kill(self, child: BaseProcess, how: str) -> None:
        """SIGKILL, if it still lives."""
        if child.is_alive():
            child.kill()
        child.join()
        if child.exitcode == -signal.SIGKILL:
            self.kills[how] += 1

    def awaited(self, child: BaseProcess, how: str) -> None:
        """Wait for its own death; one that never comes to its point is killed at that moment, wherever it is."""
        child.join(_REACHED_SECONDS)
        self.kill(child, "at random" if child.is_alive() else how)

    # -- rounds -------------------------------------------------------------------------------------------------------

    def at_a_point(self, point: str, most: int = 0) -> None:
        """Dies at a step of ingest, at one of its first passings."""
        self.world.produce(_MESSAGES)
        most = most or {"take": 150, "before_put": 25, "after_put": 25}.get(point, 2)
        self.awaited(self.start(point=point, hit=self._chance.randint(1, most)), point)

    def at_random(self) -> None:
        """Dies at any moment."""
        child = self.start()
        self.world.produce(_MESSAGES)
        pause(self._chance.uniform(0.05, 1.2))
        self.kill(child, "at random")

    def two_members(self) -> None:
        """One leaves in order or dies while the other takes over, which dies then."""
        first, second = self.start(), self.start()
        self.world.produce(_MESSAGES)
        pause(self._chance.uniform(0.3, 2.0))
        if self._chance.random() < 0.5 and first.pid:
            os.kill(first.pid, signal.SIGTERM)
            pause(self._chance.uniform(0.0, 0.5))
        self.kill(first, "two members")
        self.world.produce(_MESSAGES)
        pause(self._chance.uniform(0.3, 2.0))
        self.kill(second, "two members")

    def zombie(self) -> None:
        """Stopped beyond its session, another takes over, then it wakes up and goes on writing and committing."""
        first = self.start()
        self.world.produce(_MESSAGES)
        pause(self._chance.uniform(0.2, 1.0))
        os.kill(first.pid or 0, signal.SIGSTOP)
        second = self.start()
        pause(2.2)
        self.world.produce(_MESSAGES)
        os.kill(first.pid or 0, signal.SIGCONT)
        pause(self._chance.uniform(0.1, 0.8))
        for child in (first, second):
            self.kill(child, "zombie")

    def broker_down(self) -> None:
        """The broker goes away and comes back while the victim works."""
        child = self.start()
        self.world.produce(_MESSAGES)
        pause(self._chance.uniform(0.1, 0.6))
        self.world.cluster.down()
        pause(self._chance.uniform(0.1, 0.8))
        self.world.cluster.up()
        pause(self._chance.uniform(0.1, 0.8))
        self.kill(child, "broker down and up")

    def compaction(self, point: str) -> None:
        """A compaction dies at one of its steps while ingest goes on writing to the same days, and dies too."""
        writer = self.start()
        self.world.produce(_MESSAGES)
        pause(self._chance.uniform(0.1, 0.6))
        most = {"before_delete": 1, "during_delete": 1}.get(point, 30)
        self.awaited(self.start("compaction", point, self._chance.randint(1, most)), f"compaction {point}")
        self.kill(writer, "at random")

    def two_compactions(self) -> None:
        """Two compactions of the same days at once; one is killed."""
        first, second = self.start("compaction"), self.start("compaction")
        pause(self._chance.uniform(0.05, 0.5))
        self.kill(first, "two compactions")
        second.join()

    def rounds(self) -> list[Callable[[], None]]:
        """Every kind of round at every point, in an order of the seed's own; of a control the one that must lose."""
        if point := CONTROL_POINTS.get(self.kind):
            return [lambda: self.at_a_point(point, most=1)]
        found: list[Callable[[], None]] = [lambda p=p: self.at_a_point(p) for p in INGEST_POINTS for _ in range(2)]
        found += [lambda p=p: self.compaction(p) for p in COMPACT_POINTS]
        found += [self.at_random, self.at_random, self.broker_down, self.broker_down, self.two_compactions]
        if "Drain" not in self.kind:
            found += [self.two_members, self.two_members, self.zombie, self.zombie]
        self._chance.shuffle(found)
        return found

    def run(self, kills: int) -> None:
        """Rounds until so many victims have died."""
        while sum(self.kills.values()) < kills:
            for play in self.rounds():
                if sum(self.kills.values()) >= kills:
                    break
                play()

    def finish(self, kind: str) -> None:
        """One clean run that nobody kills, until everything is committed."""
        if "Drain" in kind:
            while self.world.behind():
                child = self.start(kind)
                child.join()
                assert child.exitcode == 0, child.exitcode
            return
        child = self.start(kind)
        deadline = time.monotonic() + _FINISH_SECONDS
        while self.world.behind():
            assert child.is_alive(), f"the last run ended with {child.exitcode}"
            assert time.monotonic() < deadline, "the last run does not come to an end"
            pause(0.2)
        while child.is_alive():  # the first one can come before the child listens, and be lost
            assert time.monotonic() < deadline, "the last run does not end when told to"
            os.kill(child.pid or 0, signal.SIGTERM)
            child.join(2.0)
