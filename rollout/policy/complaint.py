"""What is said about a file that is refused: one closed list of codes, and what came of reading a file.

The reference page of the codes is rendered from ``CODES`` by ``rollout.policy.reference``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from rollout.core.model import Policy


@dataclass(frozen=True, slots=True)
class Complaint:
    """What is wrong with a file, where (1-based), and what to write instead."""

    path: str
    line: int
    column: int
    code: str
    what: str
    instead: str = ""

    def __str__(self) -> str:
        hint = f" ({self.instead})" if self.instead else ""
        return f"{self.path}:{self.line}:{self.column}: {self.code} {self.what}{hint}"


@dataclass(frozen=True, slots=True)
class Parsed:
    """What became of one file: its policies, or every complaint about it (then ``policies`` is empty)."""

    path: str
    policies: tuple[Policy, ...] = ()
    complaints: tuple[Complaint, ...] = ()


class Fault(ValueError):  # noqa: N818 - it says what the thing is, as the ports' exceptions do
    """A complaint that has no place yet; ``{raw}`` in its texts stands for the value as written."""

    def __init__(self, code: str, what: str, instead: str = "") -> None:
        super().__init__(what)
        self.code = code
        self.what = what
        self.instead = instead


@dataclass(frozen=True, slots=True)
class Code:
    """What a code stands for: a title, and an explanation for the one who got it."""

    title: str
    explanation: str


CODES: Mapping[str, Code] = MappingProxyType(
    {
        # the file
        "RP001": Code(
            "not valid YAML",
            "The text breaks YAML's grammar at this place, so nothing after it can be read. Most "
            "often the indentation is off, a quote or bracket is not closed, or a value that holds `:"
            " ` or begins with one of `` @ ` % & * ! `` is not in quotes.",
        ),
        "RP002": Code(
            "file too big",
            "A file of policies has at most 64 KiB. A policy has about one; split the file.",
        ),
        "RP003": Code("not UTF-8", "Policies are UTF-8 text. A byte-order mark and CRLF are accepted."),
        "RP004": Code(
            "invisible character",
            "The file holds a NUL, a control character or a mark that changes how text is shown "
            "without being seen. What a reviewer reads must be what we read.",
        ),
        "RP005": Code(
            "tab", "YAML does not allow tabs where a line is indented or a value begins: use spaces."
        ),
        "RP006": Code("nested too deep", "Lists and mappings may be nested 20 deep; a policy needs six."),
        "RP007": Code("too many values", "A file holds more keys and values than any set of policies needs."),
        "RP008": Code(
            "anchor or alias",
            "`&name` and `*name` are not read: a few lines of them can stand for gigabytes, and a "
            "reviewer does not see the value where it is used. Write the value out.",
        ),
        "RP009": Code("tag", "`!tag` asks for a type of its own. A policy needs none: remove it."),
        "RP010": Code("merge key", "`<<` is no part of YAML 1.2 and hides values. Write the fields out."),
        "RP011": Code(
            "key written twice",
            "YAML readers differ in which of the two they take, so we take neither. Remove one.",
        ),
        "RP012": Code("key is not text", "Every key of a policy is text. Put the key in quotes."),
        "RP013": Code("number out of bounds", "The number is infinite, not a number, or absurdly long."),
        "RP014": Code(
            "file not read",
            "The file in git is a symbolic link, a submodule, a pointer to large-file storage, or has"
            " an odd mode. It is never followed: commit the text itself.",
        ),
        "RP015": Code(
            "took too long",
            "Reading this file took more than 2 seconds, and was stopped. Its neighbours were read.",
        ),
        "RP016": Code(
            "crashed the parser",
            "The process that reads policies ended at this file, or needed more than 256 MiB for it. Its "
            "neighbours were read. Please report the file: no text should be able to do this.",
        ),
        "RP017": Code(
            "policy inside a list",
            "A policy is a YAML document of its own. Separate several with a line `---`.",
        ),
        "RP018": Code("more complaints", "Only the first 100 complaints about a file are shown."),
        "RP019": Code(
            "no policy",
            "`rollout lint` was given this file by name, and no document in it begins as a policy does: "
            "`apiVersion: rollout.dev/v1alpha1` and `kind: Rollout`. In a folder it is other people's.",
        ),
        # the document
        "RP020": Code("wrong apiVersion", "This version reads `apiVersion: rollout.dev/v1alpha1`."),
        "RP021": Code("wrong kind", "This version reads `kind: Rollout`."),
        "RP022": Code(
            "unknown field",
            "A field that is not known is an error, not a warning: a typo such as `maxErorRate` would"
            " quietly switch a guard off.",
        ),
        "RP023": Code("missing field", "The field has no default and must be written."),
        "RP024": Code(
            "wrong shape", "A list stands where a mapping belongs, or a value where a list does, or the like."
        ),
        "RP025": Code("nothing written", "The field has no value. Write one, or remove the line."),
        "RP026": Code(
            "not text",
            "YAML reads the value as a number or truth value, and text is wanted: put it in quotes. "
            "(`1.10` without quotes is the number 1.1.)",
        ),
        "RP027": Code(
            "not true or false",
            "Only `true` and `false` are truth values. `yes`, `no`, `on` and `off` are words in YAML "
            "1.2, and anything in quotes is text.",
        ),
        "RP028": Code(
            "not a number",
            "A number is wanted, without quotes or unit. `010`, `1_0` and `1:30` are not numbers "
            "here, because YAML readers differ in what they stand for.",
        ),
        "RP029": Code(
            "not a duration", "A duration is written with units: `250ms`, `30s`, `5m`, `1h30m`, `2d`."
        ),
        "RP030": Code("not a percentage", "A percentage is written `5%` or as a share, `0.05`."),
        "RP031": Code(
            "bad name", "The name holds characters that are not allowed at this place, or is too long."
        ),
        "RP032": Code("not a time of day", 'A time of day is written `"09:00"`, from 00:00 to 23:59.'),
        "RP033": Code("not days of the week", "Days are written `Mon-Fri`, `Mon,Wed` or `[Mon, Wed]`."),
        "RP034": Code("unknown time zone", "Zones are those of the IANA database, such as `Europe/Berlin`."),
        "RP035": Code(
            "not a response code", "A code is `5xx`, `4xx`, `3xx` or three digits from 300 to 599."
        ),
        "RP036": Code("not one of the choices", "The field takes one of a few words."),
        "RP037": Code("not exactly one kind", "A route is of one kind; write that one and no other."),
        # its meaning
        "RP040": Code(
            "weight out of range",
            "A weight is the canary's share of traffic in per cent: over 0, at most 100, with at most two "
            "decimals.",
        ),
        "RP041": Code("weights do not rise", "Each step's weight must be higher than the one before it."),
        "RP042": Code(
            "last step is not 100",
            "The last step gives the canary all traffic; without it a rollout could never end.",
        ),
        "RP043": Code(
            "finer than the mesh",
            "App Mesh takes whole per cents, and a custom resource what its `total` can express: a weight or "
            "holdback between two of them could not be written.",
        ),
        "RP044": Code(
            "absurd error limit",
            "A limit of 100 % or more never fails anything; one of 0 % fails a canary at its first "
            "bad request, which says nothing.",
        ),
        "RP045": Code(
            "absurd number of requests", "At least one request must be seen to judge; at most a million."
        ),
        "RP046": Code(
            "holdback out of range",
            "The holdback is stable's share in the last step, kept as a control: from 0 % to 50 %.",
        ),
        "RP047": Code("duration out of range", "Zero, or longer (or shorter) than can be meant."),
        "RP048": Code(
            "empty list", "A rollout needs at least one step, and at least one check: nothing runs blind."
        ),
        "RP049": Code(
            "written twice", "The same thing stands in the list twice, or one entry contains another."
        ),
        "RP050": Code(
            "holdback lowers the weight",
            "In the last step stable keeps the holdback as a control. What is left for the canary "
            "would be less than it had in the step before, and weight only rises.",
        ),
        "RP051": Code(
            "looks too rare", "With looks this far apart every pause would count as missing evidence."
        ),
        "RP052": Code("list too long", "The list has more entries than can be meant."),
        "RP053": Code(
            "quantile out of range",
            "A limit of latency holds a quantile to `max`: 0.5 is the median, 0.99 lets one request of a "
            "hundred be slower. Beyond 0.9999 too few requests are left to tell.",
        ),
        "RP054": Code(
            "not a share, not a level",
            "The `max` of a query is a share with its sign (`5%`) where the operator's query is a ratio, and "
            "a plain number (`250`) where it is a gauge.",
        ),
        "RP055": Code(
            "half a limit",
            "A limit of latency needs both: which `quantile` of the canary's requests, and the `max` it may "
            "take. Without both the canary is compared with stable.",
        ),
        "RP056": Code(
            "not one question",
            "Each entry of `checks` asks one question: `errors`, `latency` or `query`. Write one entry for "
            "each.",
        ),
        "RP057": Code(
            "codes of another protocol",
            "`codes` are HTTP's. A gRPC call fails by its status, a connection by not being made or by being"
            " reset: which ones count is not chosen.",
        ),
        "RP058": Code(
            "requests and connections",
            "A route of `protocol: tcp` is judged by its connections. It has no requests, so there are no "
            "response codes, no gRPC calls and no latencies to judge beside them.",
        ),
        "RP059": Code(
            "failures cannot be seen",
            "A failed gRPC call is an HTTP response 200, and a TCP or TLS route has no responses at all: a "
            "check of HTTP responses would find every canary healthy.",
        ),
        "RP060": Code(
            "not in this version",
            "The word is known, but this version cannot do it. It is refused rather than ignored, "
            "because nothing runs blind.",
        ),
        # the operator's guard rails
        "RP070": Code(
            "bake below the guard rail", "The operator asks for a longer least bake (`guard.min_bake`)."
        ),
        "RP071": Code(
            "first weight over the guard rail",
            "The operator asks for a lower first step (`guard.max_first_weight`).",
        ),
        "RP072": Code(
            "error limit over the guard rail",
            "The operator asks for a lower limit (`guard.max_error_limit`).",
        ),
        "RP073": Code("looks below the guard rail", "The operator asks for rarer looks (`guard.min_look`)."),
        "RP074": Code("unknown mesh", "The operator's settings name no such mesh."),
        "RP075": Code("unknown source of metrics", "The operator's settings name no such source of metrics."),
        "RP076": Code("unknown sink", "The operator's settings name no such sink of alerts."),
        "RP077": Code(
            "unknown query",
            "The operator's settings name no such query for this source (`[metrics.NAME.queries]`).",
        ),
        "RP078": Code(
            "query of another kind",
            "A query of two counters is compared with stable, or held to a share (`max: 5%`). A gauge is "
            "held to a level (`max: 250`): it cannot be compared.",
        ),
        "RP079": Code(
            "not allowed at this mesh",
            "The operator's settings name the namespaces whose routes may move (`meshes.NAME.namespaces`), "
            "and the resources that a policy may declare (`meshes.NAME.custom`).",
        ),
        # several documents
        "RP080": Code(
            "name taken", "Two policies have one name. Neither is taken; what ran before stays in force."
        ),
        "RP081": Code(
            "route taken",
            "Two policies move the weights of one route. Neither is taken; what ran before stays in force.",
        ),
    }
)
"""Every code with its meaning, in order."""
