"""From a settings file to values."""

import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from rollout.settings import (
    EnvoyMesh,
    EnvoyMetrics,
    GuardRails,
    LogSink,
    Reference,
    Settings,
    SlackSink,
    SourceSettings,
    WebhookSink,
    tables,
)
from rollout.settings.load import MOST, SettingsError, find, load, parse
from rollout.settings.reference import EXAMPLE

LEAST = """
state = "state"
[sources.apps]
url = "/srv/policies.git"
[meshes.edge]
kind = "envoy"
directory = "routes"
admin = ["127.0.0.1:9901"]
"""
EVERYTHING = """
state = "~/state"
listen = "[::1]:0"
observe = true
control.group = true

[guard]
min_look = "250ms"
min_bake = "1h30m"
max_first_weight = "12.5%"
max_error_limit = 0.2

[sources.apps]
url = "git@git.example.com:platform/policies.git"
branch = "refs/heads/release/2"
path = "/../prod/" # the loader refuses this, see below
poll = "5s"
timeout = "2m"
ssh_key = { file = "keys/id" }
known_hosts = "known_hosts"
allow_rewrite = true
hold_when_lost = true

[sources.more]
url = "http://localhost:3000/more.git"
token = { env = "TOKEN" }

[meshes.edge]
kind = "envoy"
directory = "/etc/envoy"
admin = ["proxy-1.example.com:9901", "https://[2001:db8::1]:9901/"]

[metrics.edge]
kind = "envoy"
admin = ["10.0.0.1:1"]

[sinks.log]
kind = "log"
[sinks.pager]
kind = "webhook"
url = "https://pager.example.com/v1?team=a"
secret = { env = "PAGER" }
[sinks.secret-pager]
kind = "webhook"
url = { file = "pager-url" }
[sinks.chat]
kind = "slack"
url = { env = "SLACK_URL" }
""".replace('"/../prod/" # the loader refuses this, see below', '"./prod//eu/"')


def test_the_least_that_is_needed():
    """State, a source and a mesh are enough: everything else has its default, metrics come from the mesh."""
    admin = ("127.0.0.1:9901",)
    assert parse(LEAST, "rollout.toml", Path("/etc/rollout")) == Settings(
        state=Path("/etc/rollout/state"),
        sources=(SourceSettings("apps", "/srv/policies.git"),),
        meshes=(EnvoyMesh("edge", Path("/etc/rollout/routes"), admin),),
        metrics=(EnvoyMetrics("edge", admin), EnvoyMetrics("envoy", admin)),
    )


def test_everything_that_can_be_said():
    """Each key reaches its value, in seconds, shares and units of 0.01 %; paths begin at the file."""
    admin = ("proxy-1.example.com:9901", "https://[2001:db8::1]:9901")
    assert parse(EVERYTHING, "rollout.toml", Path("/etc/rollout")) == Settings(
        state=Path("~/state").expanduser(),
        listen="[::1]:0",
        observe=True,
        group_control=True,
        guard=GuardRails(0.25, 5_400.0, 1_250, 0.2),
        sources=(
            SourceSettings(
                "apps",
                "git@git.example.com:platform/policies.git",
                "release/2",
                "prod/eu",
                5.0,
                120.0,
                Reference(file=Path("/etc/rollout/keys/id")),
                Path("/etc/rollout/known_hosts"),
                None,
                allow_rewrite=True,
                hold_when_lost=True,
            ),
            SourceSettings("more", "http://localhost:3000/more.git", token=Reference(env="TOKEN")),
        ),
        meshes=(EnvoyMesh("edge", Path("/etc/envoy"), admin),),
        metrics=(EnvoyMetrics("edge", ("10.0.0.1:1",)), EnvoyMetrics("envoy", admin)),
        sinks=(
            LogSink("log"),
            WebhookSink("pager", "https://pager.example.com/v1?team=a", Reference(env="PAGER")),
            WebhookSink("secret-pager", Reference(file=Path("/etc/rollout/pager-url"))),
            SlackSink("chat", Reference(env="SLACK_URL")),
        ),
    )


def test_the_example_of_the_reference_page_is_right():
    """What people copy works."""
    settings = parse(EXAMPLE, "rollout.toml", Path("/etc/rollout"))
    assert [sink.name for sink in settings.sinks] == ["ops"]


def test_two_meshes_have_no_common_metrics():
    """With several meshes nobody can say which one's counters `envoy` means, so there is no such source."""
    more = '[meshes.inner]\nkind = "envoy"\ndirectory = "inner"\nadmin = ["127.0.0.1:9902"]\n'
    settings = parse(LEAST + more, "rollout.toml", Path("/"))
    assert [metrics.name for metrics in settings.metrics] == ["edge", "inner"]


TABLES = [
    tables.GUARD,
    tables.SOURCE,
    *tables.MESHES.values(),
    *tables.METRICS.values(),
    *tables.SINKS.values(),
]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.makes.__name__)
def test_the_page_tells_the_true_defaults(table: tables.Table):
    """A table's keys are its values' fields, and each default on the page is the one that is taken."""
    known = {field.name: field for field in fields(table.makes) if field.name != "name"}
    assert {key.name for key in table.keys} == set(known)
    for key in table.keys:
        default = known[key.name].default
        if key.default:
            text = parse_value(key.default)
            assert text == default if text == "" else key.read(text, Path("/")) == default
        elif key.default == "":
            assert default is None
        else:
            assert key.read(parse_value(key.example.replace("…", "example.com/x")), Path("/"))


def parse_value(text: str):
    return tomllib.loads(f"value = {text}")["value"]


@pytest.mark.parametrize(
    "url",
    [
        "https://git.example.com/a.git",
        "https://[2001:db8::1]:8443/a.git",
        "http://127.0.0.1:3000/a.git",
        "http://[::1]:3000/a.git",
        "ssh://git@git.example.com:2222/a.git",
        "git@git.example.com:a.git",
        "git.example.com:a/b.git",
        "file:///srv/a.git",
        "/srv/a.git",
    ],
)
def test_urls_of_repositories(url: str):
    """Every way to a repository that git knows and that is safe."""
    settings = parse(LEAST.replace("/srv/policies.git", url), "rollout.toml", Path("/etc"))
    assert settings.sources[0].url == url


def test_a_repository_beside_the_settings():
    """A relative path begins at the settings file's folder."""
    settings = parse(
        LEAST.replace("/srv/policies.git", "../policies.git"), "rollout.toml", Path("/etc/rollout")
    )
    assert settings.sources[0].url == "/etc/policies.git"


@pytest.mark.parametrize(
    "url",
    [
        "-oProxyCommand=id:x",
        "ext::sh -c id",
        "ftp://git.example.com/a",
        "http://git.example.com/a",
        "https://user:word@git.example.com/a",
        "https://user@git.example.com/a",
        "ssh://git:word@git.example.com/a",
        "https:///a",
        "https://[::1/a",
        "https://git.example.com:99999/a",
        "https://git.example.com/a?x=1",
        "https://git.example.com/a b",
        "policies.git",
        "",
        "https://git.example.com/\u202ea",
    ],
)
def test_urls_that_are_refused(url: str):
    """What could run a program, leak a secret or be read on the way is no address of a source."""
    text = LEAST.replace("/srv/policies.git", url)
    with pytest.raises(SettingsError, match=r"rollout.toml:4:7: sources.apps.url: "):
        parse(text, "rollout.toml", Path("/etc"))


@pytest.mark.parametrize("break_", ["\n", "\r\n"])
def test_line_ends_do_not_move_a_complaint(tmp_path: Path, break_: str):
    """A file from Windows, with a byte-order mark, is read, and its lines are counted alike."""
    file = tmp_path / "rollout.toml"
    file.write_bytes(("\ufeff" + LEAST + "\nlisten = 1").replace("\n", break_).encode())
    with pytest.raises(SettingsError) as error:
        load(file)
    assert [(one.line, one.column) for one in error.value.complaints] == [(10, 1)]


def test_files_that_are_none(tmp_path: Path):
    """A missing file, a folder, 5 MB of text, a bomb of brackets or of digits: one sentence each."""
    file = tmp_path / "rollout.toml"
    sentences = {}
    for name, content in {
        "huge": b"x" * 5_000_000,
        "brackets": b"x = " + b"[" * (MOST - 10),
        "digits": b"x = " + b"9" * 10_000,
        "nul": b"state = \x00",
    }.items():
        file.write_bytes(content)
        sentences[name] = refusal(file)
    sentences["folder"] = refusal(tmp_path)
    sentences["missing"] = refusal(tmp_path / "none.toml")
    no_toml = '(text is in quotes, a table is [name], a value key = "value")'
    assert sentences == {
        "huge": "rollout.toml: is over 1 MiB (settings are a page of text)",
        "brackets": "rollout.toml: is nested too deep (settings need three levels)",
        "digits": f"rollout.toml:1:1: this is not TOML: a number is too long {no_toml}",
        "nul": f"rollout.toml:1:9: this is not TOML: invalid value {no_toml}",
        "folder": f"{tmp_path.name}: cannot be read: Is a directory",
        "missing": "none.toml: cannot be read: No such file or directory",
    }


def refusal(file: Path) -> str:
    with pytest.raises(SettingsError) as error:
        load(file)
    return str(error.value).replace(f"{file.parent}/", "")


def test_where_settings_are_looked_for(tmp_path: Path):
    """The one given, the one of the environment, here, at home, in /etc: the first that there is."""
    home, here = tmp_path / "home", tmp_path / "here"
    here.mkdir()
    at_home = home / ".config" / "rollout" / "rollout.toml"
    at_home.parent.mkdir(parents=True)
    environment = {"HOME": str(home)}
    with pytest.raises(SettingsError, match=r"there are no settings: looked for .*here/rollout.toml, .*home"):
        find(None, environment, here)
    at_home.touch()
    assert find(None, environment, here) == at_home
    (here / "rollout.toml").touch()
    assert find(None, environment, here) == here / "rollout.toml"
    assert find(None, environment | {"ROLLOUT_CONFIG": "/x.toml"}, here) == Path("/x.toml")
    assert find(Path("y.toml"), environment | {"ROLLOUT_CONFIG": "/x.toml"}, here) == here / "y.toml"
    xdg = tmp_path / "xdg" / "rollout" / "rollout.toml"
    xdg.parent.mkdir(parents=True)
    xdg.touch()
    (here / "rollout.toml").unlink()
    assert find(None, environment | {"XDG_CONFIG_HOME": str(tmp_path / "xdg")}, here) == xdg
