"""Anything that a look may see or git may ask, drawn by hypothesis: small worlds, so that things meet."""

from datetime import timedelta

from hypothesis import strategies as st

from rollout.core.model import (
    FULL,
    Analysis,
    Comparison,
    Errors,
    Hold,
    Limit,
    MeshSeen,
    NoDataRule,
    Observation,
    OnSilence,
    Order,
    Policy,
    ProxySeen,
    Revision,
    Sample,
    Series,
    Split,
    Step,
    Unseen,
    Verb,
    Weight,
    Window,
    Withdrawn,
)
from rollout.core.reason import Reason
from tests.unit.core.world import NOON, ROUTE, V1, V2, V3

BACKENDS = (V1, V2, V3)
ORDERS = tuple(Verb)

splits = st.one_of(
    st.sampled_from(BACKENDS).map(Split.all_on),
    st.tuples(st.permutations(BACKENDS), st.sampled_from((1, 50, 100, 1000, 5000, 9500))).map(
        lambda drawn: Split.between(drawn[0][0], drawn[0][1], drawn[1])
    ),
    st.lists(st.integers(1, FULL), min_size=3, max_size=3).map(
        lambda drawn: Split.of(dict(zip(BACKENDS, drawn, strict=True)))
    ),
)
some_splits = st.lists(splits, max_size=2, unique=True).map(tuple)
reasons = st.sampled_from(("", "timed out"))
proxies = st.builds(
    ProxySeen, st.sampled_from(("a", "b")), some_splits, rejected=reasons, unreachable=reasons
)
meshes = st.builds(
    MeshSeen,
    some_splits,
    st.sampled_from(("v1", "v2", "v3")),
    st.dictionaries(st.sampled_from(BACKENDS), st.sampled_from((-1, 0, 1, 3))),
    st.lists(proxies, max_size=2, unique_by=lambda proxy: proxy.name).map(tuple),
    st.sampled_from((None, *[1] * 12, 2)),
    st.sampled_from((1, 100)),
)
unseen = st.builds(Unseen, st.just("away"), st.sampled_from((False, False, False, True)))
counts = st.sampled_from((0, 1, 7, 50, 1000, 100_000))


@st.composite
def series(draw: st.DrawFn) -> Series:
    completed, active = draw(counts), draw(st.sampled_from((0, 0, 3)))
    codes = draw(
        st.sampled_from(((), (("5xx", 0),), (("429", 1), ("5xx", 1)), (("429", 0), ("5xx", completed))))
    )
    return Series(
        draw(st.sampled_from(("a", "b"))),
        draw(st.sampled_from(BACKENDS)),
        completed + active,
        completed,
        active,
        codes,
        draw(st.sampled_from((None, None, 0.5, 100.0, 200.0))),
    )


samples = st.builds(
    Sample,
    st.lists(series(), max_size=6, unique_by=lambda one: (one.proxy, one.backend)).map(tuple),
    st.sampled_from(((), (), (("b", "timed out"),), (("a", "x"), ("b", "x"), ("c", "x")))),
)
orders = st.builds(
    Order,
    st.integers(1, 9),
    st.sampled_from(ORDERS),
    st.just("ana"),
    st.just("why"),
    st.just(NOON),
    st.sampled_from(("", "full", *BACKENDS)),
)
several_orders = st.lists(orders, min_size=1, max_size=2, unique_by=lambda order: order.id)
holds = st.sampled_from(
    (Hold(Reason.FROZEN, "by ana"), Hold(Reason.REWRITTEN, "source"), Hold(Reason.GIT_LOST, "9 s"))
)
checks = st.sampled_from(
    (
        (Comparison(),),
        (Comparison(min_requests=1),),
        (Limit(0.05, min_requests=1),),
        (Limit(0.02, min_requests=1),),
        (Comparison(), Limit(0.05)),
        (Limit(0.05, Errors(("429",))), Comparison(Errors(("429", "5xx")))),
    )
)
analyses = st.builds(
    Analysis,
    checks=checks,
    no_data=st.builds(NoDataRule, st.sampled_from((30.0, 600.0)), st.sampled_from(OnSilence)),
    holdback=st.sampled_from((Weight(500), Weight(0), Weight(2000))),
    look=st.sampled_from((None, 0.25, 5.0)),
)
steps = st.sampled_from(
    (
        (Step(Weight(1000), 5.0), Step(Weight(5000), 5.0), Step(Weight(10_000), 5.0)),
        (Step(Weight(1000), 9.0), Step(Weight(5000), 9.0), Step(Weight(10_000), 9.0)),
        (Step(Weight(10_000), 1.0),),
    )
)
windows = st.sampled_from(
    (
        (),
        (),
        (Window((0,), NOON.time(), (NOON + timedelta(hours=1)).time(), "UTC"),),
        (Window((5,), NOON.time(), (NOON + timedelta(hours=1)).time(), "Europe/Berlin"),),
    )
)
revisions = st.builds(Revision, st.sampled_from(BACKENDS), st.sampled_from(("", "sha256:1")))
policies = st.builds(
    Policy,
    st.just("prod/jazz"),
    st.just(ROUTE),
    revisions,
    steps,
    analyses,
    st.sampled_from((None, V1)),
    windows,
    suspend=st.sampled_from((False, False, False, True)),
    revert_window=st.sampled_from((0.0, 86_400.0)),
)
asked = st.one_of(*[policies] * 7, st.just(Withdrawn("prod/jazz")))


@st.composite
def observations(draw: st.DrawFn) -> Observation:
    """Anything at all, also what contradicts itself and the look before."""
    return Observation(
        NOON + timedelta(seconds=draw(st.integers(-100, 1_000_000))),
        draw(st.sampled_from((None, 0.0, 0.02, 1.0, 1.0, 60.0, 700.0))),
        draw(st.one_of(*[meshes] * 9, unseen)),
        draw(st.one_of(*[samples] * 6, unseen)),
        1,
        look=draw(st.sampled_from((0.25, 1.0))),
        orders=tuple(draw(st.one_of(*[st.just([])] * 5, several_orders))),
        holds=draw(st.one_of(*[st.just(())] * 3, st.tuples(holds))),
        breaker_open=draw(st.sampled_from((False, False, True))),
        unwritten=draw(st.booleans()),
        observe=draw(st.sampled_from((*[False] * 9, True))),
    )
