"""Mistakes that a developer might make, each as an edit of one file: what exploration has to find."""

from __future__ import annotations

import attrs


@attrs.frozen
class Mutation:
    """An edit of one file of the package."""

    file: str
    """Below `perps_actors/`."""
    breaks: str
    """What it does to the system."""
    old: str
    new: str


KERNEL = (
    Mutation(
        "kernel/cell.py",
        "the rest of a batch is lost with the item that killed",
        "self.inbox.put_back(rest)",
        "pass",
    ),
    Mutation(
        "kernel/cell.py",
        "the rest of a batch is put back twice",
        "self.inbox.put_back(rest)",
        "self.inbox.put_back(rest); self.inbox.put_back(rest)",
    ),
    Mutation(
        "kernel/cell.py",
        "the whole batch comes back, with the item that killed",
        "put_back(rest)",
        "put_back(entry)",
    ),
    Mutation(
        "kernel/cell.py",
        "an answer is not given",
        "            reply.set(answer)",
        "            pass",
    ),
    Mutation(
        "kernel/cell.py",
        "who asked an actor that died never learns it",
        "reply.set_exception(self._for_asker(error))",
        "pass",
    ),
    Mutation(
        "kernel/cell.py",
        "questions left in a closed inbox are not settled",
        "if entry.__class__ is Envelope and entry.reply_to is not None:\n            if",
        "if False:\n            if",
    ),
    Mutation(
        "kernel/cell.py",
        "the lease of a dead actor is not void",
        "        actor.actor_inbox.void = True\n        self.actor = None",
        "        self.actor = None",
    ),
    Mutation(
        "kernel/address.py",
        "an actor that was replaced may still tell",
        "            refuse_fenced()\n        return self._put(message)",
        "            pass\n        return self._put(message)",
    ),
    Mutation(
        "kernel/inbox.py",
        "control waits behind data",
        "(self._control if traits & CONTROL else self._data).append(entry)",
        "self._data.append(entry)",
    ),
    Mutation(
        "kernel/inbox.py",
        "drops are not counted",
        "self._refused += weight\n                return False",
        "return False",
    ),
    Mutation(
        "kernel/inbox.py",
        "what is put back does not count",
        "            self._count_in(weight_of(message), held_by(message))\n            self._data.appendleft",
        "            self._data.appendleft",
    ),
    Mutation(
        "kernel/inbox.py",
        "what is put back goes to the end",
        "self._data.appendleft(message)",
        "self._data.append(message)",
    ),
    Mutation("kernel/inbox.py", "what is left is not counted", "self._left += weight", "pass"),
    Mutation(
        "kernel/supervisor.py",
        "who pauses is never started again",
        "self.after(delay_s, Revive(child.name, child.cell.generation))",
        "pass",
    ),
    Mutation(
        "kernel/supervisor.py", "nobody is ever given up", "child.exhausted(self._policy)", "False"
    ),
    Mutation(
        "kernel/supervisor.py",
        "actors are stopped in the order of their start",
        "        for child in reversed(self._children):\n            if child.ended:\n                continue\n            idle",
        "        for child in self._children:\n            if child.ended:\n                continue\n            idle",
    ),
    Mutation(
        "kernel/supervisor.py",
        "who hangs is left hanging",
        "            if child.hangs(now_ns, most_ns, limit_s):",
        "            if False:",
    ),
    Mutation(
        "kernel/supervisor.py",
        "a drain goes ahead of data",
        "Drain() if self._stopping.drain else Stop()",
        "Stop()",
    ),
)

ACTORS = (
    Mutation(
        "actors/mark_store.py",
        "marks before one that killed are not told",
        "            if kept:",
        "            if len(kept) == len(message.marks):",
    ),
    Mutation(
        "actors/mark_store.py",
        "a restart forgets the windows",
        "self._windows, self._counts = self._board.take_over()",
        "self._windows, self._counts = self._board.take_over(); self._windows.clear()",
    ),
    Mutation(
        "actors/mark_store.py",
        "marks are told before they are recorded, and again after",
        "        kept: list[Mark] = []\n",
        "        kept: list[Mark] = []\n        self._listeners[-1].tell(MarksUpdated(message.marks, message.provenance))\n",
    ),
    Mutation(
        "actors/market_monitor.py",
        "the monitor looks only once",
        "                self._judge_all()\n                self.after(self._look_every_s, Tick())",
        "                self._judge_all()",
    ),
    Mutation(
        "actors/risk_monitor.py",
        "the risk monitor looks only once",
        "                self._judge_all()\n                self.after(self._look_every_s, Tick())",
        "                self._judge_all()",
    ),
    Mutation(
        "actors/risk_monitor.py",
        "an old mark is good enough",
        "fresh = seen and self._limits.judge(age_ns) is not Freshness.STALE",
        "fresh = seen",
    ),
    Mutation(
        "actors/quote_poller.py",
        "one poll and no more",
        "self._next[answered] = self.after(self._interval_s, _Poll(answered))",
        "pass",
    ),
    Mutation(
        "actors/quote_poller.py",
        "a poll that fails ends polling",
        "        finally:\n            self._tick_off(answer.request)",
        "        finally:\n            if answer.status == 200: self._tick_off(answer.request)",
    ),
    Mutation(
        "actors/rest_desk.py",
        "what was put off is forgotten",
        "            actor.after(pause_s, MakeRequest(request))\n",
        "",
    ),
    Mutation(
        "actors/stream_consumer.py",
        "who dies leaves its connections open",
        '        self._close("the consumer failed")',
        "        pass",
    ),
    Mutation(
        "actors/stream_consumer.py",
        "marks before a frame that killed are not told",
        "        finally:\n            # Also when one frame kills this actor: the marks made before it are true.\n            self",
        "        except ArithmeticError:\n            raise\n        else:\n            self",
    ),
    Mutation(
        "actors/lines.py",
        "frames of a connection that was given up count",
        "line is not None and line.session == session",
        "line is not None",
    ),
    Mutation(
        "actors/lines.py",
        "a connection that ended stays closed",
        "            self._after(line.backoff.next_pause_s(now_ns), Reconnect(line.plan.name, line.session))",
        "            pass",
    ),
    Mutation(
        "actors/event_recorder.py",
        "a batch is journalled again when the commit behind it fails",
        "                self.cursor = len(marks) - 1\n",
        "",
    ),
    Mutation(
        "actors/event_recorder.py",
        "who dies does not write what waits",
        "        if self._group is not None:\n            self._commit()\n",
        "        if self._group is not None:\n            return\n",
    ),
    Mutation(
        "actors/event_recorder.py",
        "drops are not told at the end",
        "        self._tell_holes()\n        self.on_failure()",
        "        self.on_failure()",
    ),
    Mutation(
        "journal/group.py",
        "a block that could not be written is forgotten",
        "                self.failing = str(error)\n                return",
        "                self.failing = str(error)\n                del waiting[: len(block)]\n                return",
    ),
    Mutation(
        "journal/group.py",
        "a lost hole takes what it told along",
        "        self._reporting += unreported\n",
        "",
    ),
)

MARKET = (
    Mutation(
        "host/composing/parts.py",
        "a book that breaks again and again asks for snapshots as fast as it can",
        'lasting = asker == "stream_consumer"',
        "lasting = False",
    ),
    Mutation(
        "market/ladder.py",
        "a source climbs at its first update",
        ">= self._policy.climb_after",
        ">= 1",
    ),
    Mutation(
        "market/ladder.py",
        "a source is silent at once",
        "<= self._policy.patience_ns:\n            return False",
        "< 0:\n            return False",
    ),
    Mutation(
        "market/ladder.py",
        "a source that failed never climbs",
        "        self._failed[source] += 1",
        "        pass",
    ),
    Mutation(
        "market/mark_maker.py",
        "every source speaks",
        "speaks = ladder.offer(source, monotonic_ns, venue_time_ns)",
        "speaks = ladder.offer(source, monotonic_ns, venue_time_ns) or True",
    ),
    Mutation(
        "market/window.py",
        "a window holds one too many",
        "window[len(window) - length + 1 :]",
        "window[len(window) - length :]",
    ),
    Mutation(
        "venues/synced_book.py",
        "a gap goes unnoticed",
        "if event.previous_id != self._last_id:",
        "if event.previous_id > self._last_id + 10**9:",
    ),
    Mutation(
        "market/book.py",
        "a crossed book is believed",
        "if best is None:\n            return None\n",
        "if best is None:\n            best = (*self._levels.depth(1)[0][0], *self._levels.depth(1)[1][0], 1, 1)\n",
    ),
    Mutation(
        "venues/synced_book.py",
        "a lost snapshot is waited for for ever",
        '        """The snapshot asked for will not come: the next event asks again."""\n        self._awaited = False',
        '        """The snapshot asked for will not come: the next event asks again."""',
    ),
)

MUTATIONS = (*KERNEL, *ACTORS, *MARKET)
