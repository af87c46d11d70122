"""Faults that the referee must see in a world: planted in the rules about traffic and in evidence (``core``)
and in what remembers, polls and tells (``engine``).
"""

from __future__ import annotations

from tests.planted.mechanism import Fault

ACTION = "rollout.core.action"
CLIMB = "rollout.core.climb"
CONVERGENCE = "rollout.core.convergence"
COUNTERS = "rollout.core.counters"
DRIFT = "rollout.core.drift"
FENCE = "rollout.core.fence"
JUDGE = "rollout.core.judge"
LADDER = "rollout.core.ladder"
LOOK = "rollout.core.look"
MACHINE = "rollout.core.machine"
ORDERS = "rollout.core.orders"
SCHEDULE = "rollout.core.schedule"
TERMS = "rollout.core.terms"
TESTIMONY = "rollout.core.testimony"
TURN = "rollout.core.turn"
BREAKER = "rollout.engine.breaker"
CATALOGUE = "rollout.engine.catalogue"
DAEMON = "rollout.engine.daemon"
ENGINE = "rollout.engine.engine"
GATHER = "rollout.engine.gather"
NARRATE = "rollout.engine.narrate"
OUTBOX = "rollout.engine.outbox"
RECONCILE = "rollout.engine.reconcile"

RISING = (
    Fault(
        "raise-while-paused",
        MACHINE,
        "    if state.paused:\n",
        "    if state.paused and state.rung is None:\n",
        "a person's pause holds nothing",
        ("I9",),
    ),
    Fault(
        "raise-while-suspended",
        MACHINE,
        "    if asked.suspend:\n",
        "    if asked.suspend is None:\n",
        "git's suspension holds nothing",
        ("I9",),
    ),
    Fault(
        "raise-while-frozen",
        ENGINE,
        "return holds + self.catalogue.holds(",
        "return self.catalogue.holds(",
        "a freeze holds nothing",
        ("I9", "I20"),
    ),
    Fault(
        "raise-outside-windows",
        MACHINE,
        "if not schedule.is_open(asked.windows, seen.now):",
        "if not schedule.is_open((), seen.now):",
        "weight rises at any time of day",
        ("C2",),
    ),
    Fault(
        "raise-beside-a-dead-stable",
        MACHINE,
        "if isinstance(mesh, MeshSeen) and ready(mesh, stable) == 0:",
        "if isinstance(mesh, MeshSeen) and ready(mesh, stable) == -1:",
        "weight rises though stable could not take it back",
        ("I9", "I8"),
    ),
    Fault(
        "write-to-the-dead",
        ACTION,
        " or any(ready(mesh, name) == 0 for name in _gaining(mesh, wanted))",
        "",
        "a side without any endpoint gets more",
        ("I8",),
    ),
    Fault(
        "raise-late-under-doubt",
        MACHINE,
        "rises = not look.lag or (_nowhere_to_fall(look) or _bars(look)) is None",
        "rises = True",
        "a raise that was lost on its way is written again while people hold the rollout",
        ("I9", "I8"),
    ),
    Fault(
        "raise-what-was-held-meanwhile",
        RECONCILE,
        "if homeward or world.holds(rollout.name) == seen.holds:",
        "if seen is not None:",
        "a raise is written though it was frozen while it was being recorded",
        ("I9",),
    ),
    Fault(
        "two-rungs-at-once",
        LADDER,
        "return Stage(step + 1) if step + 1 < len(policy.steps) else None",
        "return Stage(min(step + 2, len(policy.steps) - 1)) if step + 1 < len(policy.steps) else None",
        "every second step is left out",
        ("I2",),
    ),
    Fault(
        "last-step-first",
        LADDER,
        "return Stage(len(policy.steps) - 1 if fast else 0)",
        "return Stage(len(policy.steps) - 1)",
        "after the probe comes the last step",
        ("I2",),
    ),
    Fault(
        "promote-at-the-first-step",
        CLIMB,
        "return _promote(look) if rung is None else _climb(look, rung, reason)",
        "return _promote(look) if stage.step == 0 or not rung else _climb(look, rung, reason)",
        "a canary that passed one step gets everything",
        ("I2",),
    ),
    Fault(
        "holdback-ignored",
        LADDER,
        "return Weight(FULL - policy.analysis.holdback) if weight == EVERYTHING else weight",
        "return weight",
        "the last step leaves stable nothing to compare with",
        ("I4",),
    ),
    Fault(
        "bake-ignored",
        CLIMB,
        "if state.clock.baked < bake:",
        "if state.clock.baked < 0.0:",
        "a step is left as soon as it has its requests",
        ("I2",),
    ),
    Fault(
        "bake-goes-on-over-rungs",
        CLIMB,
        "        clock=Clock(),\n",
        "        clock=state.clock,\n",
        "the seconds of one step count for the next",
        ("I2",),
    ),
    Fault(
        "haste-lasts",
        CLIMB,
        "haste=state.haste if state.haste is Haste.ALL else Haste.NONE,",
        "haste=state.haste,",
        "an order to promote one step promotes all",
        ("I2",),
    ),
    Fault(
        "promote-one-is-promote-all",
        ORDERS,
        'Haste.ALL if order.argument == "full" else Haste.ONE',
        "Haste.ALL",
        "who asks for the next step gets everything",
        ("I2",),
    ),
)

EVIDENCE = (
    Fault(
        "bake-while-settling",
        LOOK,
        "bakes = carried and clock.carried and proven and not silence and state.flow.follows",
        "bakes = proven and not silence and state.flow.follows",
        "seconds count in which the mesh does not carry the weight",
        ("I2",),
    ),
    Fault(
        "bake-while-blind",
        LOOK,
        "bakes = carried and clock.carried and proven and not silence and state.flow.follows",
        "bakes = carried and clock.carried and proven and state.flow.follows",
        "seconds without evidence count",
        ("I2",),
    ),
    Fault(
        "bake-over-a-gap",
        LOOK,
        "baked=clock.baked + (min(seconds, BAKED_LOOKS * seen.look) if bakes else 0.0)",
        "baked=clock.baked + (seconds if bakes else 0.0)",
        "seconds count in which nobody looked",
        ("I2",),
    ),
    Fault(
        "bake-by-the-wall-clock",
        RECONCILE,
        "elapsed = None if rollout.looked_at is None else monotonic - rollout.looked_at",
        "elapsed = None if rollout.looked_at is None else now.timestamp() - rollout.wall_at",
        "a clock that jumps is time that has passed",
        ("I2", "I17", "I14"),
    ),
    Fault(
        "traffic-need-not-follow",
        CONVERGENCE,
        "off = absent or abs(window.canary_n / total - share) > max(3 * sigma, TOLERANCE)",
        "off = False",
        "a weight that requests do not follow proves something",
        ("I2", "R3"),
    ),
    Fault(
        "too-few-is-enough",
        CLIMB,
        "doubt = _too_few(look) or against or _unproven(look, stage)",
        "doubt = against or _unproven(look, stage)",
        "two good requests pass a step",
        ("R3",),
    ),
    Fault(
        "requests-of-the-step-before",
        CLIMB,
        "evidence=tuple(map(judge.anew, state.evidence)),",
        "evidence=state.evidence,",
        "the requests of one step pass the next",
        ("R3",),
    ),
    Fault(
        "requests-from-before-the-weight",
        LOOK,
        "return carried and state.clock.carried and not late",
        "return True",
        "requests that another weight sent prove this one",
        ("R3", "I2"),
    ),
    Fault(
        "counter-reset-ignored",
        COUNTERS,
        "if younger or new.completed < old.completed:",
        "if younger and new.completed > 10**12:",
        "a counter that began anew counts backwards",
        ("BUG", "R3", "M1", "I20"),
    ),
    Fault(
        "missing-proxies-are-healthy",
        COUNTERS,
        "return answering > QUORUM * sum(weights.values())",
        "return answering >= 0",
        "few proxies speak for the whole fleet",
        ("I2", "I14"),
    ),
    Fault(
        "no-answer-is-healthy",
        LOOK,
        "    if isinstance(seen.sample, Unseen):\n        return seen.sample.why\n    assert counted",
        '    if isinstance(seen.sample, Unseen):\n        return ""\n    assert counted',
        "metrics that do not answer say nothing against the canary",
        ("I2", "I14"),
    ),
    Fault(
        "stale-evidence",
        GATHER,
        "            return dict(zip(asked, read, strict=True))\n        if len",
        "            kept = self.__dict__.setdefault('kept', {})\n"
        "            kept.update((one, said) for one, said in zip(asked, read) if isinstance(said, Sample))\n"
        "            return {one: kept.get(one, said) for one, said in zip(asked, read, strict=True)}\n"
        "        if len",
        "where there is no answer the one before is taken",
        ("I2", "I14"),
    ),
    Fault(
        "blind-for-ever",
        MACHINE,
        "if not look.silence or look.weight == NOTHING or state.clock.blind < rule.hold:",
        "if not look.silence or look.weight == NOTHING or state.clock.blind < 1e9:",
        "the deadline of blindness never comes",
        ("I14",),
    ),
    Fault(
        "blindness-is-forgotten",
        LOOK,
        "blind=clock.blind + seconds if silence else 0.0,",
        "blind=seconds if silence else 0.0,",
        "blindness begins anew with each look",
        ("I14",),
    ),
    Fault(
        "breaker-never-opens",
        BREAKER,
        "return count >= LEAST and count >= SHARE * self._active()",
        "return False",
        "an observer that is broken sends everybody home",
        ("I19",),
    ),
    Fault(
        "nobody-is-condemned",
        JUDGE,
        "    if odds >= ODDS and blamed:\n",
        "    if odds >= ODDS * 1e300 and blamed:\n",
        "no failure is proof",
        ("G14",),
    ),
    Fault(
        "condemned-by-chance",
        JUDGE,
        "    if odds >= ODDS and blamed:\n",
        "    if odds >= ODDS / 100 and blamed:\n",
        "even odds are proof",
        ("M1",),
    ),
    Fault(
        "failures-of-the-other",
        COUNTERS,
        "return Tally(canary_n, canary_x, stable_n, stable_x, seconds)",
        "return Tally(canary_n, min(stable_x, canary_n), stable_n, min(canary_x, stable_n), seconds)",
        "stable's failures are the canary's",
        ("G14", "M1"),
    ),
    Fault(
        "failures-are-not-counted",
        COUNTERS,
        "return sum(counts.get(code, 0) for code in codes)",
        "return 0 * sum(counts.get(code, 0) for code in codes)",
        "every request is a good one",
        ("G14",),
    ),
)

HOMEWARD = (
    Fault(
        "abort-is-swallowed",
        ORDERS,
        "    return home, facts\n",
        "    return state, facts\n",
        "an abort is answered, and nothing goes home",
        ("I22", "P6", "I4"),
    ),
    Fault(
        "rolling-back-rises",
        ACTION,
        "        case Steady(past=past) | RollingBack(past=past):\n",
        "        case RollingBack(past=past, canary=canary, was=was):\n"
        "            return Split.between(past.stable.backend, canary.backend, was)\n"
        "        case Steady(past=past):\n",
        "what goes home keeps its weight",
        ("I7", "I20"),
    ),
    Fault(
        "home-needs-the-disk",
        RECONCILE,
        "    return not trouble or goes_home\n",
        "    return not trouble\n",
        "nothing goes home while the journal cannot be written",
        ("I7", "I3", "G14", "I20", "I14"),
    ),
    Fault(
        "home-waits-for-the-disk",
        RECONCILE,
        "PATIENCE if goes_home else world.patience)",
        "3600.0 if goes_home else world.patience)",
        "the way home waits for a disk that hangs",
        ("I7", "I8", "D3"),
    ),
    Fault(
        "the-rejected-is-forgotten",
        TURN,
        "past = condemned(state.past, state.canary) if guilty else state.past",
        "past = state.past",
        "a canary that failed begins again",
        ("I3",),
    ),
    Fault(
        "the-aborted-is-forgotten",
        ORDERS,
        "RollingBack(condemned(ramp.past, ramp.canary), ramp.canary,",
        "RollingBack(ramp.past, ramp.canary,",
        "a canary that a person aborted begins again",
        ("I3",),
    ),
    Fault(
        "rejection-ignored",
        MACHINE,
        "    if revision in past.rejected:\n",
        "    if revision in past.rejected and past.virtual:\n",
        "what is remembered as rejected begins all the same",
        ("I3",),
    ),
    Fault(
        "rejected-by-a-change",
        TURN,
        "guilty = cause not in (Cause.WITHDRAWN, Cause.REVERTED, Cause.CHANGED)",
        "guilty = cause not in (Cause.WITHDRAWN, Cause.REVERTED)",
        "another policy condemns a canary that did nothing",
        ("I20",),
    ),
)

HANDS = (
    Fault(
        "lowered-is-raised-again",
        DRIFT,
        "        if lowered < authorised:\n",
        "        if lowered < 0:\n",
        "who lowered a weight is overruled",
        ("I18", "I4"),
    ),
    Fault(
        "every-hand-is-ours",
        CONVERGENCE,
        "    if intent is None or intent.confirmed:\n        return False\n",
        "    if intent is None:\n        return False\n    if intent.confirmed:\n        return True\n",
        "what others wrote is taken for a write of ours that was lost",
        ("I18", "I4"),
    ),
    Fault(
        "raised-is-left",
        DRIFT,
        "    if reads < READS:\n",
        "    if reads < READS * 10**6:\n",
        "more than was authorised stays",
        ("I20",),
    ),
    Fault(
        "fence-ignored",
        FENCE,
        "    if mesh.epoch <= max(seen.epoch, past.epoch):\n",
        "    if mesh.epoch is not None:\n        return state\n    if seen.epoch < 0:\n",
        "an old copy of the journal writes on",
        ("Q2", "I20"),
    ),
    Fault(
        "fence-ignored-by-the-new",
        MACHINE,
        "if mesh.epoch is not None and not seen.observe:",
        "if mesh.epoch is not None and seen.epoch < 0:",
        "a journal without memory writes on",
        ("Q2",),
    ),
    Fault(
        "writes-are-not-counted",
        FENCE,
        "        if new < 0 or (",
        "        if new is not None or (",
        "an old copy of the same life's journal writes on",
        ("Q2",),
    ),
    Fault(
        "moved-is-written-again",
        RECONCILE,
        "    except Moved as moved:\n        rollout.unwritten = True\n",
        "    except Moved as moved:\n"
        "        seen = await mesh.read(route, 1.0)\n"
        "        await mesh.write(route, action.split, version=seen.version, home=action.home,"
        " epoch=world.epoch)\n"
        "        rollout.unwritten = True\n",
        "what changed meanwhile is written over unseen",
        ("I18", "I4", "I8"),
    ),
    Fault(
        "observe-writes",
        ACTION,
        "if not turn.acts or seen.observe or any(",
        "if not turn.acts or any(",
        "observe mode moves weights",
        ("I23",),
    ),
    Fault(
        "observe-is-not-asked",
        RECONCILE,
        "observe=world.observe or (isinstance(rollout.asked, Policy) and rollout.asked.observe),",
        "observe=world.observe,",
        "a policy's own observe mode moves weights",
        ("I23",),
    ),
)

GIT = (
    Fault(
        "rewritten-is-taken",
        CATALOGUE,
        'case "rewritten" if not allow_rewrite:',
        'case "rewritten" if allow_rewrite:',
        "a rewritten history is taken and nobody is asked",
        ("G3",),
    ),
    Fault(
        "rewritten-holds-nothing",
        CATALOGUE,
        "        if state.rewritten:\n",
        "        if state.rewritten is None:\n",
        "weight rises though the history was rewritten",
        ("G3",),
    ),
    Fault(
        "older-is-taken",
        CATALOGUE,
        'case "older":',
        'case "oldest":',
        "an older commit is taken",
        ("G2",),
    ),
    Fault(
        "silence-is-deletion",
        ENGINE,
        "return Taken(replace(state, problem=str(trouble)), pages=pages)",
        "return Taken(replace(state, problem=str(trouble)), {}, pages=pages)",
        "git that does not answer has no policies",
        ("I11",),
    ),
    Fault(
        "a-typo-is-deletion",
        CATALOGUE,
        "if name in refused or (one.origin.path in broken and name not in named)",
        "if name in refused",
        "a file that cannot be read withdraws its policy",
        ("I11",),
    ),
    Fault(
        "deletion-ignored",
        CATALOGUE,
        "if name in refused or (one.origin.path in broken and name not in named)",
        "if name is not None",
        "a policy that git deleted stays in force",
        ("P7", "I20", "I11"),
    ),
    Fault(
        "withdrawn-goes-on",
        MACHINE,
        "        return home(look, Cause.WITHDRAWN, Reason.WITHDRAWN)\n",
        "        return None\n",
        "a rollout without a policy goes on rising",
        ("P7",),
    ),
    Fault(
        "two-on-one-route",
        CATALOGUE,
        "        while any(why):\n",
        "        while any(why) and not asked:\n",
        "two policies move one route",
        ("P5", "I13", "I1", "I4"),
    ),
    Fault(
        "clash-holds-nothing",
        CATALOGUE,
        "        if name in self.contested:\n",
        "        if name in self.contested and name == '':\n",
        "weight rises though two policies want the route",
        ("P5",),
    ),
    Fault(
        "changed-goes-on",
        MACHINE,
        "    if state.policy != asked:\n",
        "    if state.policy.route != asked.route:\n",
        "a rollout goes on under a policy that git has no more",
        ("P6", "I9", "I20"),
    ),
    Fault(
        "changed-keeps-its-proof",
        TERMS,
        "    if not _same_or_tighter(state.policy, asked):\n",
        "    if state.policy.route != asked.route or state.policy.revision != asked.revision:\n",
        "other steps go on from the middle of the old ones",
        ("I2", "I4", "BUG"),
    ),
    Fault(
        "tighter-is-not-heard",
        TERMS,
        "    if state.policy is asked:\n        return state\n",
        "    if state.policy.revision == asked.revision:\n        return state\n",
        "a tighter limit begins afresh instead of holding at once",
        ("P6",),
    ),
    Fault(
        "unremembered-policies-hold",
        ENGINE,
        "        if not await self._remember(name, taken.state, fresh, told=taken.pages):\n"
        "            return\n",
        "        await self._remember(name, taken.state, fresh, told=taken.pages)\n",
        "policies are in force that no disk has",
        ("P6", "P7"),
    ),
)

MEMORY = (
    Fault(
        "the-judge-s-record-knows-no-proof",
        TESTIMONY,
        "        proof=look.proof,\n",
        "        proof=True,\n",
        "the record of a look says that it proves its rung, whatever it was",
        ("M9",),
    ),
    Fault(
        "held-looks-are-not-recorded",
        MACHINE,
        "Reason[state.why.name], facts, look=look)",
        "Reason[state.why.name], facts)",
        "what the judge is fed while a rollout is held is forgotten",
        ("M9",),
    ),
    Fault(
        "write-before-record",
        RECONCILE,
        "    if not await record(rollout, decision, world, homeward=homeward):\n",
        "    await enact(rollout, decision, world)\n"
        "    if not await record(rollout, decision, world, homeward=homeward):\n",
        "the mesh is written before the intent is on the disk",
        ("I15",),
    ),
    Fault(
        "intent-dropped",
        RECONCILE,
        "entry = Record(rollout.name, now, decision, noteworthy,",
        "entry = Record(rollout.name, now, replace(decision, actions=()), noteworthy,",
        "a record does not say what will be written",
        ("I15",),
    ),
    Fault(
        "raise-unrecorded",
        RECONCILE,
        "    return not trouble or goes_home\n",
        "    return True\n",
        "weight rises on what no disk remembers",
        ("I15",),
    ),
    Fault(
        "step-on-restart",
        ENGINE,
        "Rollout(name, asked, state, remembered",
        "Rollout(name, asked, replace(state, clock=replace(state.clock, baked=1e9))"
        " if isinstance(state, Ramping) else state, remembered",
        "a restart ends the bake",
        ("I2",),
    ),
    Fault(
        "freeze-lost-on-restart",
        ENGINE,
        "self.freezes = {freeze.name: freeze for freeze in remembered.freezes}",
        "self.freezes = {freeze.name: freeze for freeze in remembered.freezes[:0]}",
        "a restart thaws",
        ("I9",),
    ),
    Fault(
        "orders-lost-on-restart",
        ENGINE,
        "self._orders = dict(remembered.orders)",
        "self._orders = {}",
        "an order that was taken before a restart is forgotten",
        ("I22",),
    ),
    Fault(
        "journey-lost-on-restart",
        ENGINE,
        "Rollout(name, asked, state, remembered",
        "Rollout(name, asked, Unadopted(state.past.attempt) if isinstance(state, Ramping) else state,"
        " remembered",
        "a restart forgets what is under way",
        ("D1",),
    ),
)

PEOPLE = (
    Fault(
        "alert-outside-the-transaction",
        RECONCILE,
        "entry = Record(rollout.name, now, decision, noteworthy, alerts,",
        "world.shout(alerts)\n    entry = Record(rollout.name, now, decision, noteworthy, (),",
        "an alert is sent and not owed, and a death loses it",
        ("I6",),
    ),
    Fault(
        "told-before-recorded",
        RECONCILE,
        "    entry = Record(rollout.name, now,",
        "    world.shout(alerts)\n    entry = Record(rollout.name, now,",
        "people hear of what is not recorded yet",
        ("I6",),
    ),
    Fault(
        "pages-only",
        NARRATE,
        "if reason.level is Level.EVENT or (",
        "if reason.level is not Level.PAGE or (",
        "people hear of pages alone",
        ("I6",),
    ),
    Fault(
        "events-are-told",
        NARRATE,
        "if reason.level is Level.EVENT or (",
        "if reason.level is None or (",
        "people hear of what is no news",
        ("I6",),
    ),
    Fault(
        "journeys-share-a-key",
        NARRATE,
        "str(attempt_of(decision.state))",
        "str(attempt_of(decision.state) * 0)",
        "what happened in an earlier journey is not told again",
        ("I6",),
    ),
    Fault(
        "given-up-early",
        OUTBOX,
        "if now - dispatch.alert.at > KEPT_FOR and dispatch.tries >= KEPT_TRIES:",
        "if dispatch.tries > 0:",
        "an alert is given up after two tries",
        ("I6",),
    ),
    Fault(
        "not-owed-any-more",
        OUTBOX,
        "            await self._outbox.failed(dispatch, str(trouble), self._next_try(dispatch, trouble))\n",
        "            await self._outbox.delivered(dispatch, self._clock.now())\n",
        "an alert that a sink refused counts as delivered",
        ("I6",),
    ),
    Fault(
        "told-in-another-order",
        OUTBOX,
        "for dispatch in await self._outbox.owed(self._clock.now(), BATCH, name):",
        "for dispatch in reversed(await self._outbox.owed(self._clock.now(), BATCH, name)):",
        "the newest is told first",
        ("I6",),
    ),
    Fault(
        "told-past-a-refusal",
        OUTBOX,
        "                    if not await self._arrives(dispatch):\n                        break\n",
        "                    await self._arrives(dispatch)\n",
        "what comes after an alert that was refused is told before it",
        ("I6",),
    ),
    Fault(
        "told-again-and-again",
        OUTBOX,
        "        await self._outbox.delivered(dispatch, self._clock.now())\n        return True\n",
        "        return True\n",
        "what was delivered is delivered again",
        ("I6",),
    ),
    Fault(
        "pause-is-swallowed",
        ORDERS,
        "return replace(state, paused=Paused(order.actor, order.why, order.at))",
        "return state",
        "a pause is answered, and nothing is paused",
        ("I9",),
    ),
    Fault(
        "abort-after-promote",
        ORDERS,
        "order.verb is not Verb.ABORT, order.id)",
        "order.verb is Verb.ABORT, order.id)",
        "an abort is heard after all others",
        ("I22",),
    ),
)

NEIGHBOURS = (
    Fault(
        "a-bug-stops-everybody",
        DAEMON,
        "            rollout.failures += 1\n",
        "            rollout.failures += 1\n            self._stopping.set()\n",
        "a bug in one rollout ends the looks at all",
        ("D3", "I20"),
    ),
    Fault(
        "a-bug-is-not-caught",
        DAEMON,
        "        except Exception as bug:\n",
        "        except ZeroDivisionError as bug:\n",
        "a bug leaves its rollout",
        ("BUG", "D3"),
    ),
    Fault(
        "looked-at-once",
        DAEMON,
        "            self._enqueue(rollout)\n\n    async def _pass",
        "            self._due.clear()\n\n    async def _pass",
        "a rollout is looked at once and never again",
        ("D3", "I20"),
    ),
    Fault(
        "looked-at-too-rarely",
        SCHEDULE,
        "        case Ramping(policy=ramp):\n            return look_interval(ramp, least)\n",
        "        case Ramping():\n            return HEARTBEAT\n",
        "a canary under way is looked at like one at rest",
        ("D3", "G14", "I20"),
    ),
    Fault(
        "unrecorded-is-done",
        ENGINE,
        "        self._apply()\n        self._breaker.recall",
        "        self._breaker.recall",
        "policies that the journal remembers are not brought into force",
        ("I20", "D3"),
    ),
)

WORLDS = (*RISING, *EVIDENCE, *HOMEWARD, *HANDS, *GIT, *MEMORY, *PEOPLE, *NEIGHBOURS)
BY_NAME = {fault.name: fault for fault in WORLDS}
