"""No text makes the parser raise, hang, or hand back a policy together with a complaint."""

import os
import random
import time
from contextlib import ExitStack
from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from rollout.core.model import FULL
from rollout.policy.complaint import CODES
from rollout.policy.json_schema import json_schema
from rollout.policy.limits import Limits
from rollout.policy.loader import load
from rollout.policy.parse import parse
from rollout.policy.schema import FIELDS
from tests.unit.policy.test_parse import JAZZ

EVERYTHING = (
    Path(__file__).resolve().parents[2] / "golden" / "good_policies" / "everything.yaml"
).read_text()
GUARD = Limits(min_bake=1, max_first_weight=5000, meshes=("edge",), metrics=("envoy",), sinks=("ops",))
SCHEMA = Draft7Validator(json_schema())
ODD = [
    *("&a", "*a", "!t", "<<", ":", "-", "?", "|", ">", "'", '"', "{", "}", "[", "]", ",", "#", "%", "@", "`"),
    *(
        "\t",
        "\n",
        "\r",
        "\0",
        "\x85",
        "\u2028",
        "\ufeff",
        "é",
        ".nan",
        ".inf",
        "~",
        "010",
        "1:30",
        "---",
        "...",
    ),
]
CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
WORDS = st.sampled_from(
    [*{field for path in FIELDS for field in path}, *ODD, "rollout", "100", "5m", "5%", "jazz"]
)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)


def holds(text: bytes) -> None:
    began = time.process_time()
    for guard in (None, GUARD):
        parsed = parse("x.yaml", text, guard=guard)
        assert not (parsed.policies and parsed.complaints)
        for complaint in parsed.complaints:
            assert complaint.code in CODES
            assert complaint.line >= 1
            assert complaint.column >= 1
            assert str(complaint).isprintable()
        for policy in parsed.policies:
            weights = [step.weight for step in policy.steps]
            assert weights == sorted(set(weights))
            assert weights[-1] == FULL
            assert all(step.bake > 0 for step in policy.steps)
    assert time.process_time() - began < 2


@CALM
@given(st.binary(max_size=300))
def test_bytes(noise: bytes):
    """Any bytes."""
    holds(b"# rollout\n" + noise)


@CALM
@given(st.lists(WORDS | st.sampled_from([" ", "  ", "\n", "\n  ", ": ", "- "]), max_size=60))
def test_words_of_the_format(words: list[str]):
    """The words of YAML and of the policy in any order."""
    holds(("# rollout\n" + "".join(words)).encode())


@settings(CALM, max_examples=300)
@given(st.data())
def test_a_good_policy_with_pieces_torn_out_and_put_in(data: st.DataObject):
    """A policy that was edited badly."""
    text = data.draw(st.sampled_from([JAZZ, EVERYTHING]))
    for _ in range(data.draw(st.integers(1, 4))):
        begin = data.draw(st.integers(0, len(text)))
        end = begin + data.draw(st.integers(0, 12))
        text = text[:begin] + data.draw(WORDS | st.text(max_size=4)) + text[end:]
    holds(text.encode(errors="replace"))


@settings(CALM, max_examples=300)
@given(
    st.dictionaries(
        st.sampled_from(sorted({path[1] for path in FIELDS if path[0] == "spec" and path[1:]})), PLAIN
    )
)
@example({"steps": [{}], "analysis": {"checks": [None], "holdback": []}})
def test_a_document_of_any_shape(spec: dict[str, object]):
    """The right fields with any values in them; what the parser takes, the schema takes."""
    text = JAZZ[: JAZZ.index("spec")] + "spec: " + flow(spec)
    holds(text.encode(errors="replace"))


def test_crossings_of_the_corpus():
    """Files of the corpus grafted into one another; FUZZ_FILES=1000000 FUZZ_SEED=2 digs deeper."""
    seed = os.environ.get("FUZZ_SEED", "1")
    chance = random.Random(seed)
    folder = Path(__file__).resolve().parents[2] / "golden"
    texts = [file.read_bytes() for file in sorted(folder.glob("*_policies/*.yaml"))]
    texts = [text for text in texts if len(text) < 4000]
    for number in range(int(os.environ.get("FUZZ_FILES", "3000"))):
        text = bytearray(chance.choice(texts))
        for _ in range(chance.randint(1, 6)):
            begin, other = chance.randrange(len(text) + 1), chance.choice(texts)
            graft = chance.randrange(len(other) + 1)
            put_in = [other[graft : graft + chance.randint(0, 60)], chance.choice(ODD).encode(), b""]
            text[begin : begin + chance.randint(0, 12)] = chance.choice(put_in)
        with ExitStack() as ending:
            ending.push(lambda kind, *_: print(f"{seed=} {number=} {text=}") if kind else None)  # noqa: B023, T201
            holds(bytes(text))


def test_what_the_parser_takes_the_schema_takes():
    """An editor never underlines what the daemon accepts."""

    @settings(CALM, max_examples=200)
    @given(st.data())
    def holds_for(data: st.DataObject) -> None:
        text = EVERYTHING
        for old, new in REPLACEMENTS:
            if data.draw(st.booleans()):
                text = text.replace(old, data.draw(st.sampled_from(new)))
        if parse("x", text.encode()).policies:
            (document,) = load(text.encode()).documents
            SCHEMA.validate(document.plain)

    holds_for()


REPLACEMENTS = [
    ("0.5", ["0.01", "1", "1e1", "-1", "'1'", "12.5", "0.001"]),
    ("2.5 %", ["5%", "0.5", "1e-3", "5", "'0.05'", "99.999999%"]),
    ("250ms", ["0s", "1d", "1m1h", "''", "10", "600s"]),
    ("[503]", ["[]", "[200]", "[5xx, 4xx]", "['503']", "503", "[599, 300]"]),
    ('"Mon,Wed"', ["Mon", "[Mon]", "Mon-Fri,Sun", "[Mon-Tue, Thu]", "[]", "mon"]),
    ("dj.jazz-1", ["a", "1", "'1'", "a..b", "A", "a-"]),
    ("Europe/Berlin", ["UTC", "Etc/GMT+1", "Nowhere/Land", "America/Argentina/Ushuaia"]),
]


def flow(value: object) -> str:
    """Like JSON, but with what JSON has no words for left bare."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    return str(value)
