"""Bad input, as a new user gives it: each answer says what is wrong, where, and what to do instead."""

import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import StartSite
from tests.installation import POLICY, Installation

GOOD = POLICY.format(backend="jazz-v2", bake="5m")


@pytest.fixture
def house(tmp_path: Path) -> Installation:
    """Settings, a repository, and no Envoy."""
    return Installation(tmp_path)


def lint(house: Installation, text: str | bytes) -> subprocess.CompletedProcess[str]:
    (house.folder / "jazz.yaml").write_bytes(text.encode() if isinstance(text, str) else text)
    return house.run("lint", "jazz.yaml")


@pytest.fixture(autouse=True)
def no_traceback(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    yield
    assert "Traceback" not in "".join(capfd.readouterr())


def said(ended: subprocess.CompletedProcess[str]) -> str:
    """Everything that was said, and that none of it is a traceback."""
    text = ended.stdout + ended.stderr
    assert "Traceback" not in text, text
    assert "bug in rollout" not in text, text
    return text


# --- policies ------------------------------------------------------------------------------------


def test_a_wrong_field(house: Installation):
    ended = lint(house, GOOD.replace("backend:", "backnd:"))
    assert ended.returncode == 1
    assert "jazz.yaml:6:3: RP022 unknown field `backnd` in spec (did you mean `backend`?)" in said(ended)


def test_a_tab(house: Installation):
    ended = lint(house, GOOD.replace("  backend", "\tbackend"))
    assert ended.returncode == 1
    assert "jazz.yaml:6:1: RP005 a tab stands where YAML wants spaces (write spaces)" in said(ended)


def test_a_file_of_five_megabytes(house: Installation):
    ended = lint(house, GOOD + "# " + "x" * 5_000_000)
    assert ended.returncode == 1
    assert "RP002 has 5000" in said(ended)
    assert "over 65536 (split it, one policy per file)" in said(ended)


def test_a_file_beyond_all_measure(house: Installation):
    """Its size is read, the file is not."""
    with (house.folder / "huge.yaml").open("wb") as huge:
        huge.truncate(1 << 40)
    ended = house.run("lint", "huge.yaml", timeout=10)
    assert ended.returncode == 1
    assert "huge.yaml:1:1: RP002 has 1099511627776 bytes (split it)" in said(ended)


def test_an_alias_bomb(house: Installation):
    """Nine aliases to nine aliases ...: complained about at once, never unfolded."""
    layers = [f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 9)}]" for n in range(1, 40)]
    ended = lint(house, GOOD + "x0: &x0 [lol]\n" + "\n".join(layers) + "\n")
    assert ended.returncode == 1
    assert "RP008 &x0 is an anchor (remove it)" in said(ended)


def test_a_bomb_of_brackets(house: Installation):
    ended = lint(house, b"kind: Rollout\nspec: " + b"[" * 60_000)
    assert ended.returncode == 1
    assert "RP006 nested more than 20 deep" in said(ended)


@pytest.mark.parametrize("text", [b"\xff\xfe" + "kind: Rollout".encode("utf-16-le"), b"kind: Rollout\n\xc3("])
def test_text_in_another_encoding(house: Installation, text: bytes):
    ended = lint(house, text)
    assert ended.returncode == 1
    assert "RP003" in said(ended)
    assert "UTF-8" in said(ended)


def test_a_broken_policy_in_git_is_told_by_every_face(tmp_path: Path, start_site: StartSite):
    """The daemon goes on with what it had; `get` and `doctor` say where the fault is."""
    site = start_site()
    (tmp_path / "house").mkdir()
    with Installation(tmp_path / "house", site) as house:
        house.commit("jazz-v1")
        house.start()
        house.until("steady")
        house.repository.commit({"policies/jazz.yaml": GOOD.replace("bake", "bakee")}, "oops")
        place = "policies/jazz.yaml:8:20: RP022 unknown field `bakee` in steps (did you mean `bake`?)"
        for _ in range(50):
            seen = house.run("get")
            if "RP022" in seen.stderr:
                break
        assert f"source main: {place}" in seen.stderr
        assert "prod/jazz" in seen.stdout
        assert place in said(house.run("doctor"))
        assert house.until("steady")


# --- git -----------------------------------------------------------------------------------------


def test_a_git_that_cannot_be_reached(house: Installation):
    """`once` ends with 4, `doctor` with 1; both name the source, what git says and what to look at."""
    text = house.settings.read_text(encoding="utf-8")
    house.write(text.replace(house.repository.url, "https://127.0.0.1:1/policies.git"))
    ended = house.run("once")
    assert ended.returncode == 4
    assert "source main (https://127.0.0.1:1/policies.git)" in said(ended)
    assert "is the server up, is the port right" in said(ended)
    ended = house.run("doctor")
    assert ended.returncode == 1
    assert "✗ fails source main: source main (https://127.0.0.1:1/policies.git)" in said(ended)


def test_a_repository_that_is_not_there(house: Installation):
    text = house.settings.read_text(encoding="utf-8")
    house.write(text.replace("policies.git", "polices.git"))
    ended = house.run("doctor")
    assert ended.returncode == 1
    assert "check the url or path: there is no repository" in said(ended)


def test_a_repository_without_any_policy(house: Installation):
    """Nothing to do is told as such, with the folder and branch that were looked at."""
    house.repository.commit({"README.md": "nothing here\n"})
    ended = house.run("once")
    assert ended.returncode == 4
    assert "source main: " in said(ended)
    ended = house.run("doctor")
    assert ended.returncode == 1
    assert "policies" in said(ended)
    house.repository.commit({"policies/README.md": "nothing here\n"})
    ended = house.run("once")
    assert (ended.returncode, ended.stdout) == (0, "there are no rollouts\n")
    ended = house.run("doctor")
    assert ended.returncode == 1
    assert "✗ fails source main: there is no policy below policies in main" in said(ended)
    assert "commit one, or mend `path` or `branch`" in said(ended)
    seen = house.run("get")
    assert seen.stdout == "there are no rollouts: no policy has been taken from git yet\n"


# --- Envoy ---------------------------------------------------------------------------------------


def test_a_wrong_envoy_port(house: Installation):
    """Nobody listens there: the rollout is not begun, and the doctor names the address."""
    house.commit("jazz-v1")
    (house.folder / "jazz.yaml").unlink(missing_ok=True)
    ended = house.run("doctor")
    assert ended.returncode == 1
    assert "mesh envoy, 127.0.0.1:1: cannot be reached: Connect" in said(ended)
    assert "is Envoy running, and is this its admin port?" in said(ended)
    assert "metrics envoy, 127.0.0.1:1: cannot be reached" in said(ended)


def test_a_port_that_is_not_envoys(house: Installation):
    """Something answers, and it is not Envoy's admin."""
    import http.server
    import threading

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        text = house.settings.read_text(encoding="utf-8")
        house.write(text.replace("127.0.0.1:1", f"127.0.0.1:{server.server_port}"))
        house.commit("jazz-v1")
        ended = house.run("doctor")
        server.shutdown()
        thread.join()
    assert ended.returncode == 1
    assert "answered with status 404" in said(ended)
    assert "is this its admin port?" in said(ended)


# --- settings and state --------------------------------------------------------------------------


def test_no_settings_at_all(house: Installation):
    """Every place that was looked at is named."""
    house.settings.unlink()
    for command in ("run", "get", "doctor", "once"):
        ended = house.run(command)
        assert ended.returncode == 2
        assert "there are no settings: looked for" in said(ended)
        assert f"{house.folder}/rollout.toml" in said(ended)
        assert "--config or $ROLLOUT_CONFIG" in said(ended)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("poll", "pol", "rollout.toml:7:1: unknown key sources.main.pol (did you mean `poll`?)"),
        ('"1s"', '"1 banana"', "rollout.toml:7:8: sources.main.poll: "),
        ("state", "[state", "rollout.toml:1:"),
        ('kind = "envoy"', 'kind = "envoi"', 'did you mean "envoy"?'),
        ("[sources.main]", "[sorces.main]", "unknown key sorces"),
    ],
)
def test_settings_that_are_wrong(house: Installation, old: str, new: str, told: str):
    """Exit code 2, with line, column and what to write instead; the same for every command."""
    text = house.settings.read_text(encoding="utf-8")
    house.write(text.replace(old, new, 1))
    for command in ("run", "get", "doctor"):
        ended = house.run(command)
        assert ended.returncode == 2
        assert told in said(ended)


def test_a_state_directory_that_cannot_be_made(house: Installation):
    """It is a file: nothing is overwritten, and it is said what to name instead."""
    house.state.write_text("mine", encoding="utf-8")
    for command in ("run", "once"):
        ended = house.run(command)
        assert ended.returncode in (4, 5)
        assert str(house.state) in said(ended)
    assert house.run("doctor").returncode == 1
    assert house.state.read_text(encoding="utf-8") == "mine"


def test_a_state_directory_that_everybody_may_write(house: Installation):
    house.state.mkdir()
    house.state.chmod(0o777)
    for command, code in (("run", 5), ("doctor", 1)):
        ended = house.run(command)
        assert ended.returncode == code
        assert f"chmod go-w {house.state}" in said(ended)
    assert stat.S_IMODE(house.state.stat().st_mode) == 0o777


def test_a_state_directory_that_cannot_be_written(house: Installation):
    """A disk mounted read-only, as far as this machine has one: exit code 4, named, with the reason."""
    text = house.settings.read_text(encoding="utf-8")
    house.write(text.replace('state = "state"', 'state = "/proc/rollout"'))
    for command, code in (("run", 4), ("once", 4), ("doctor", 1)):
        ended = house.run(command)
        assert ended.returncode == code, said(ended)
        assert "/proc/rollout" in said(ended)
        assert "bug" not in said(ended)


def test_a_journal_that_is_none(house: Installation):
    """Another file in its place: reads say what it is, and nothing is lost of it."""
    house.state.mkdir(mode=0o700)
    (house.state / "journal.sqlite").write_text(
        "not a database at all, but long enough" * 40, encoding="utf-8"
    )
    ended = house.run("get")
    assert ended.returncode == 4
    assert str(house.state / "journal.sqlite") in said(ended)
    assert house.run("doctor").returncode == 1


def test_a_state_path_too_long_for_a_socket(house: Installation):
    """The kernel's limit is told before anybody wonders about a socket."""
    long = "x" * 110
    text = house.settings.read_text(encoding="utf-8")
    house.write(text.replace('state = "state"', f'state = "{long}"'))
    ended = house.run("doctor")
    assert "its control socket's path is over 107 bytes" in said(ended)
    assert "name a shorter `state`" in said(ended)
    ended = house.run("run", timeout=20)
    assert ended.returncode == 5
    assert "name a shorter `state`" in said(ended)


def test_a_listen_address_that_is_taken(house: Installation):
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        house.write(
            house.settings.read_text(encoding="utf-8").replace('listen = ""', f'listen = "{address}"')
        )
        ended = house.run("run", timeout=20)
    assert ended.returncode == 5
    assert f"cannot listen on {address}" in said(ended)


def test_a_secret_that_is_not_there(house: Installation):
    """The doctor names the variable, never what is in it."""
    more = '[sinks.chat]\nkind = "slack"\nurl = { env = "CHAT_URL" }\n'
    house.write(house.settings.read_text(encoding="utf-8") + more)
    ended = house.run("doctor")
    assert ended.returncode == 1
    assert "sink chat: the environment variable CHAT_URL is empty or not set" in said(ended)
    ended = house.run("doctor", environment={"CHAT_URL": "https://hooks.example.com/s3cr3t"})
    assert "sink chat: its secrets can be read; nothing was sent" in said(ended)
    assert "s3cr3t" not in said(ended)
