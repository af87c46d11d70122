"""No engine builds the image here, so what it promises is read from the Dockerfile itself."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "Dockerfile").read_text(encoding="utf-8")

Step = tuple[str, str]


def steps(text: str) -> list[Step]:
    """Each instruction as (NAME, rest), continuation lines joined and comments left out."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [
        (name.upper(), rest.strip())
        for name, _, rest in (line.partition(" ") for line in joined.splitlines())
    ]


def stages(text: str) -> list[list[Step]]:
    """The instructions of each FROM, the FROM first; what stands before the first one is left out."""
    found: list[list[Step]] = []
    for step in steps(text):
        if step[0] == "FROM":
            found.append([])
        if found:
            found[-1].append(step)
    return found


def bases(text: str) -> list[str]:
    """What each stage starts from, with the ARGs before the first FROM put in."""
    defaults = dict(rest.partition("=")[::2] for name, rest in steps(text) if name == "ARG")
    asked = [rest.split()[0] for name, rest in steps(text) if name == "FROM"]
    return [re.sub(r"\$\{(\w+)\}", lambda hit: defaults.get(hit[1], ""), base) for base in asked]


def problems(text: str) -> list[str]:
    """Everything that breaks a promise."""
    found = [
        f"{base} is not pinned" for base in bases(text) if not re.search(r":\d+\.\d+\.\d+|@sha256:", base)
    ]
    final = stages(text)[-1]
    last = dict(final)  # the last of each name is the one that holds
    user = last.get("USER", "root").split(":")[0]
    if not user.isdigit() or user == "0":
        found.append(f"user {user} is not a number other than 0")
    commands = [name for name in ("ENTRYPOINT", "CMD") if not last.get(name, "").startswith("[")]
    found += [f"{name} is not in exec form" for name in commands]
    for name, rest in steps(text):
        if name == "ADD":
            found.append("ADD fetches and unpacks; COPY does not")
        if name in {"ARG", "ENV"} and re.search(
            r"(?i)(password|passwd|secret|token|private_?key|credential)\w*", rest
        ):
            found.append(f"{name} holds a secret: {rest}")
        if re.search(r"(?i)https?://|index[-]url|find-links|trusted-host", rest):
            found.append(f"{name} names an address: {rest}")
        if name == "RUN":
            found += [f"not hash-pinned: {command}" for command in unpinned(rest)]
    return found


def unpinned(run: str) -> list[str]:
    """The pip installs in one RUN that could fetch something that no lock names."""
    commands = [command.strip() for command in re.split(r"&&|;|\|\|", run)]
    fetching = [command for command in commands if re.search(r"\bpip (install|wheel|download)\b", command)]
    safe = ("--require-hashes", "--no-index", "--no-deps --no-build-isolation")
    return [command for command in fetching if not any(flags in command for flags in safe)]


def test_the_image_keeps_its_promises() -> None:
    assert problems(TEXT) == []


def test_it_runs_as_an_unprivileged_number() -> None:
    assert dict(stages(TEXT)[-1])["USER"] == "65532:65532"


def test_the_image_is_the_command() -> None:
    final = dict(stages(TEXT)[-1])
    assert json.loads(final["ENTRYPOINT"]) == ["rollout"]
    assert json.loads(final["CMD"]) == ["run"]


def test_state_goes_to_the_volume_and_nowhere_else() -> None:
    """A read-only root file system is enough: home is the volume and no bytecode is written."""
    final = stages(TEXT)[-1]
    settings = " ".join(rest for name, rest in final if name == "ENV").split()
    assert json.loads(dict(final)["VOLUME"]) == ["/var/lib/rollout"]
    assert {"HOME=/var/lib/rollout", "PYTHONDONTWRITEBYTECODE=1"} <= set(settings)


def test_only_the_finished_environment_leaves_the_builder() -> None:
    copies = [rest for name, rest in stages(TEXT)[-1] if name == "COPY"]
    assert copies == ["--from=builder /opt/rollout /opt/rollout"]


def test_everything_copied_is_in_the_repository_and_not_ignored() -> None:
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    let_in = [line[1:] for line in ignored if line.startswith("!")]
    for name, rest in stages(TEXT)[0]:
        for source in rest.split()[:-1] if name == "COPY" else []:
            assert (ROOT / source).exists()
            assert any(source == path or source.startswith(f"{path}/") for path in let_in)


GOOD = """FROM python:3.11.9-slim
RUN pip install --require-hashes -r l
USER 65532
ENTRYPOINT ["a"]
CMD ["b"]
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("python:3.11.9-slim", "python:latest"),
        ("USER 65532", "USER rollout"),
        ("USER 65532", "USER 0"),
        ("USER 65532\n", ""),
        ('ENTRYPOINT ["a"]', "ENTRYPOINT a"),
        ('CMD ["b"]', "CMD b"),
        (" --require-hashes", ""),
        ("USER", "ADD a.tar b\nUSER"),
        ("USER", "ENV API_TOKEN=x\nUSER"),
        ("USER", "RUN pip install \\\n  --trusted-host x --require-hashes -r l\nUSER"),
        ("USER", "RUN curl https://example.com\nUSER"),
    ],
)
def test_a_broken_promise_is_seen(old: str, new: str) -> None:
    assert problems(GOOD) == []
    assert len(problems(GOOD.replace(old, new))) == 1
