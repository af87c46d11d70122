"""A file's text to its policies, or to every complaint about it."""

from dataclasses import replace
from datetime import time
from pathlib import Path

import pytest

from rollout.core.model import (
    Analysis,
    Comparison,
    CustomForm,
    Errors,
    Inconclusive,
    Latency,
    Limit,
    NoDataRule,
    OnSilence,
    Origin,
    Policy,
    Protocol,
    Query,
    Revision,
    Route,
    Step,
    Weight,
    Window,
)
from rollout.policy.complaint import CODES
from rollout.policy.limits import Limits
from rollout.policy.parse import MAX_COMPLAINTS, parse

GOLDEN = Path(__file__).resolve().parents[2] / "golden"
GOOD = sorted((GOLDEN / "good_policies").glob("*.yaml"))
JAZZ = """\
apiVersion: rollout.dev/v1alpha1
kind: Rollout
metadata: {namespace: prod, name: jazz}
spec:
  route: {envoy: {routeConfiguration: jazz}}
  backend: jazz-v2
  steps: [{weight: 10, bake: 5m}, {weight: 100, bake: 10m}]
"""


def codes(text: str | bytes, guard: Limits | None = None) -> list[str]:
    raw = text if isinstance(text, bytes) else text.encode()
    return [complaint.code for complaint in parse("jazz.yaml", raw, guard=guard).complaints]


def bad(name: str) -> list[str]:
    return codes((GOLDEN / "bad_policies" / f"{name}.yaml").read_bytes())


def only(text: str) -> Policy:
    parsed = parse("jazz.yaml", text.encode())
    assert parsed.complaints == ()
    (policy,) = parsed.policies
    return policy


@pytest.mark.parametrize("file", GOOD, ids=lambda file: file.stem)
def test_a_good_policy_has_no_complaint(file: Path):
    parsed = parse(file.name, file.read_bytes())
    assert parsed.complaints == ()
    assert parsed.policies


def test_the_smallest_policy_takes_the_cores_defaults():
    """What a policy does not say is what the core's types say."""
    (policy,) = parse("a", (GOLDEN / "good_policies" / "smallest.yaml").read_bytes()).policies
    assert policy == Policy(
        "default/a", Route("envoy", "envoy", "a"), Revision("a-v2"), (Step(Weight(10_000), 0.001),)
    )
    assert policy.analysis == Analysis()


def test_every_field_arrives():
    """Each field of the format reaches the core in the core's units."""
    (policy,) = parse("a", (GOLDEN / "good_policies" / "everything.yaml").read_bytes()).policies
    assert policy == Policy(
        name="prod/dj.jazz-1",
        route=Route("envoy", "edge", "jazz_1.prod", only=("all", "by-header")),
        revision=Revision("outbound|80||jazz.prod", "1.10"),
        steps=(
            Step(Weight(50), 0.25),
            Step(Weight(1225), 5400),
            Step(Weight(5000), 172_800),
            Step(Weight(10_000), 86_400 + 7384.005),
        ),
        analysis=Analysis(
            metrics="envoy",
            checks=(
                Comparison(),
                Comparison(Errors(("5xx", "429", "401")), 50),
                Limit(0.05),
                Limit(0.025, Errors(("503",)), 1),
                Comparison(Errors(protocol=Protocol.GRPC)),
                Limit(0.07),
                Comparison(Latency()),
                Comparison(Latency(), 30),
                Limit(0.01, Latency(500.0)),
                Limit(0.001, Latency(2300.0), 2000),
                Comparison(Query("failed-payments")),
                Limit(0.05, Query("failed-payments"), 7),
                Limit(0.1, Query("backlog", 250.0), 10),
                Limit(0.1, Query("backlog", -0.5), 3),
            ),
            no_data=NoDataRule(300, OnSilence.HOLD),
            holdback=Weight(0),
            look=0.25,
            inconclusive=Inconclusive.ROLLBACK,
        ),
        stable="jazz-v1",
        windows=(
            Window((0, 2), time(9), time(16), "Europe/Berlin"),
            Window((0, 2, 4, 5, 6), time(22), time(2), "UTC"),
        ),
        alerts=("ops", "pager.duty"),
        suspend=True,
        observe=False,
        revert_window=604_800,
    )


def test_a_policy_knows_where_it_came_from():
    """Path and line are the document's own, the rest is the commit's."""
    origin = Origin(source="git", path="?", commit="abc", author="Ann", subject="jazz 2")
    two = JAZZ + "---\n" + JAZZ.replace("jazz", "metal")
    first, second = parse("p/jazz.yaml", two.encode(), origin).policies
    assert first.origin == replace(origin, path="p/jazz.yaml", line=1)
    assert second.origin == replace(origin, path="p/jazz.yaml", line=8)


def test_every_complaint_comes_at_once():
    """A file's faults are all told in one go, in the order of their places."""
    text = (
        JAZZ.replace("weight: 10,", "weight: 0,").replace("bake: 10m", "bake: 10").replace("jazz-v2", "[]")
        + "  x: 1\n"
    )
    complaints = parse("jazz.yaml", text.encode()).complaints
    assert [(each.line, each.column, each.code) for each in complaints] == [
        (6, 12, "RP024"),
        (7, 20, "RP040"),
        (7, 54, "RP029"),
        (8, 3, "RP022"),
    ]


def test_a_fault_in_one_field_hides_no_fault_between_others():
    """Weights are compared though a bake cannot be read, and the guard rails hold too."""
    text = JAZZ.replace("bake: 5m", "bake: soon").replace("weight: 10,", "weight: 100,")
    assert codes(text, Limits(max_first_weight=500)) == ["RP071", "RP029", "RP041"]


def test_one_broken_document_refuses_its_file():
    """A file is taken whole or not at all."""
    parsed = parse("jazz.yaml", (JAZZ + "---\n" + JAZZ.replace("jazz", "Metal")).encode())
    assert parsed.policies == ()


def test_complaints_are_bounded():
    """However bad a file is, what is said about it stays readable."""
    said = codes(JAZZ + "".join(f"  x{number}: 1\n" for number in range(500)))
    assert len(said) == MAX_COMPLAINTS + 1
    assert said[-1] == "RP018"


def test_no_complaint_about_what_a_fault_made():
    """An alias is one complaint; that its value is missing is not another."""
    assert codes(JAZZ.replace("{envoy: {routeConfiguration: jazz}}", "*route")) == ["RP008"]
    assert codes(JAZZ.replace("steps:", "stpes:")) == ["RP022"]
    assert codes(JAZZ.replace("envoy:", "istoi:")) == ["RP022"]


def test_a_key_written_twice_is_named_whatever_it_holds():
    """The place of the first is known also when its value could not be read."""
    said = parse("a", (JAZZ.replace("jazz-v2", "*a") + "  backend: b\n").encode()).complaints
    assert [(each.line, each.code) for each in said] == [(6, "RP008"), (8, "RP011")]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# rollout\n",
        "- rollout\n",
        "rollout: 1\n",
        "kind: Rollout\napiVersion: argoproj.io/v1alpha1\nspec: {steps: []}\n",
        "kind: Canary\napiVersion: flagger.app/v1beta1\nspec: &rollout {a: *rollout}\n",
        "kind: ConfigMap\napiVersion: v1\nx: !tag {rollout: .nan, rollout: 1}\n",
        "spec: {rollout: 1}\n",
        "[not: yaml, at all",
        "\x00\x01",
    ],
)
def test_other_peoples_documents_are_passed_over(text: str):
    """A repository holds other YAML; we say nothing about it."""
    parsed = parse("other.yaml", text.encode())
    assert (parsed.policies, parsed.complaints) == ((), ())


@pytest.mark.parametrize(
    "change",
    [
        ("rollout.dev/v1alpha1", "rollout.dev/v1"),
        ("rollout.dev/v1alpha1", "Rollout.dev/v1alpha1"),
        ("rollout.dev/v1alpha1", "rolout.dev/v1alpha1"),
        ("rollout.dev/v1alpha1", "*version"),
        ("apiVersion: rollout.dev/v1alpha1\n", ""),
        ("apiVersion", "apiversion"),
        ("kind: Rollout", "kind: Rolout"),
        ("kind: Rollout", "kind: rollout"),
        ("kind: Rollout", "Kind: Rollout"),
        ("apiVersion: rollout.dev/v1alpha1\nkind: Rollout\n", "# a rollout\n"),
        ("apiVersion: rollout.dev/v1alpha1\nkind: Rollout\n", "<<: *rollout\n"),
        ("apiVersion: rollout.dev/v1alpha1\nkind: Rollout\n", "\0"),
    ],
)
def test_a_near_miss_is_not_passed_over(change: tuple[str, str]):
    """A policy that is passed over in silence would look deleted."""
    assert codes(JAZZ.replace(*change)) != []


# Rows of the failure model that belong to this room, by name.


def test_p1_size_encoding_nul_and_tabs_are_refused_with_their_place():
    """P1: too big, not UTF-8, NUL, tabs: each is refused, and says where."""
    for name, code in [
        ("file_of_65_kib", "RP002"),
        ("latin_1", "RP003"),
        ("utf_16", "RP003"),
        ("nul", "RP004"),
        ("tab_indents_a_line", "RP005"),
    ]:
        assert bad(name) == [code]


def test_p1_a_byte_order_mark_and_crlf_are_read():
    """P1: what editors on Windows write is as good as any."""
    assert only("\ufeff" + JAZZ.replace("\n", "\r\n")) == only(JAZZ)


def test_p2_what_yaml_can_do_to_us_is_refused():
    """P2: bombs, anchors, merge keys, tags, depth, odd keys, infinite and absurd numbers."""
    for name, code in [
        ("alias_bomb", "RP008"),
        ("merge_key_bomb", "RP010"),
        ("nested_3000_brackets", "RP006"),
        ("nested_21_deep", "RP006"),
        ("too_many_values", "RP007"),
        ("duplicate_key", "RP011"),
        ("key_is_a_number", "RP012"),
        ("tag_of_python", "RP009"),
        ("weight_nan", "RP013"),
        ("weight_infinite", "RP013"),
        ("integer_of_5000_digits", "RP013"),
    ]:
        assert code in bad(name)


def test_p2_words_and_numbers_that_readers_disagree_about_are_never_guessed():
    """P2: truth-like words, sexagesimal and octal numbers and dates never become another type."""
    for name, code in [
        ("word_no_for_false", "RP027"),
        ("word_on_for_true", "RP027"),
        ("word_on_as_a_key", "RP022"),
        ("bake_sexagesimal", "RP029"),
        ("weight_010", "RP028"),
        ("bake_is_a_date", "RP029"),
        ("revision_is_a_number", "RP026"),
    ]:
        assert bad(name) == [code]


def test_p4_an_unknown_field_or_version_is_an_error():
    """P4: a typo must not switch a guard off."""
    assert bad("unknown_field_typo") == ["RP022"]
    assert bad("version_not_known") == ["RP020"]


def test_p4_steps_that_cannot_be_meant_are_refused():
    """P4: weights that do not rise, over 100, not ending at 100; durations of nothing or less."""
    for name, code in [
        ("weights_unordered", "RP041"),
        ("weights_duplicate", "RP041"),
        ("weight_over_100", "RP040"),
        ("last_weight_not_100", "RP042"),
        ("bake_zero", "RP047"),
        ("bake_negative", "RP029"),
    ]:
        assert bad(name) == [code]


def test_p4_absurd_limits_are_refused():
    """P4: a limit that nothing or everything breaks guards nothing."""
    assert bad("error_limit_100_per_cent") == ["RP044"]
    assert bad("error_limit_1_0") == ["RP044"]
    assert bad("error_limit_zero") == ["RP044"]
    assert bad("min_requests_zero") == ["RP045"]


def test_nothing_runs_blind():
    """A route whose failures no check of the policy sees is refused, not run."""
    assert bad("route_gateway_tcp") == ["RP059"]


def read_good(name: str) -> Route:
    [policy] = parse(name, (GOLDEN / "good_policies" / f"{name}.yaml").read_bytes()).policies
    return policy.route


def test_every_kind_of_route_arrives():
    """An object of a cluster is looked for in the rollout's own namespace if no other is named."""
    assert read_good("route_app_mesh") == Route("appMesh", "kubernetes", "jazz", "prod")
    pinned = Route("appMesh", "cluster", "jazz", "music", ("jazz-route",))
    assert read_good("route_app_mesh_in_another_namespace") == pinned
    istio = Route("istio", "kubernetes", "jazz.example.com", "prod", ("canary", "tcp[0]"))
    assert read_good("route_istio_pinned") == istio
    assert read_good("route_gateway") == Route("httpRoute", "kubernetes", "jazz", "prod", ("0",))
    consul = "consul.hashicorp.com/v1alpha1", "ServiceSplitter", "spec.splits"
    form = CustomForm(*consul, backend="service", total=100, ready="Synced")
    assert read_good("route_custom") == Route("custom", "kubernetes", "jazz", "prod", form=form)


def test_one_object_declared_by_two_policies_is_one_route():
    """Whatever else of it they declare."""
    first = CustomForm("a.b/v1", "C", "spec.x")
    one, other = (
        Route("custom", "k", "jazz", "prod", form=form) for form in (first, replace(first, total=100))
    )
    assert one.key == other.key != Route("istio", "k", "jazz", "prod").key


def test_codes_are_in_order_and_explained():
    """Each code has a title and an explanation, and its number is its place."""
    assert list(CODES) == sorted(CODES)
    assert all(code.title and code.explanation.endswith((".", ")")) for code in CODES.values())


def test_names_are_held_to_what_the_operator_named_only_where_that_is_known():
    """Without settings at hand lint accepts any name; with them a default that is not there is seen too."""
    assert codes(JAZZ, Limits()) == []
    assert codes(JAZZ, Limits(meshes=("edge",), metrics=(), sinks=())) == ["RP075", "RP074"]
