"""What git is told about a remote: which settings are refused, what it may know, what people get to read."""

from __future__ import annotations

import base64
import shlex
from pathlib import Path

import pytest

from rollout.adapters.git.remote import Remote, readable
from rollout.ports import Refused, Unavailable
from rollout.settings import Reference, Secret, SourceSettings

TOKEN = "t0ken/with+odd=chars"


def remote(url: str = "https://git.example.com/team/policies.git", **more) -> Remote:
    return Remote.of(SourceSettings("policies", url, **more))


@pytest.mark.parametrize(
    ("url", "protocol", "passed"),
    [
        ("https://git.example.com/team/p.git", "https", "https://git.example.com/team/p.git"),
        ("https://git.example.com:8443/p", "https", "https://git.example.com:8443/p"),
        ("https://deploy@git.example.com/p", "https", "https://git.example.com/p"),
        ("http://127.0.0.1:3000/p", "http", "http://127.0.0.1:3000/p"),
        ("http://[::1]:3000/p", "http", "http://[::1]:3000/p"),
        ("ssh://git@git.example.com:2222/p.git", "ssh", "ssh://git@git.example.com:2222/p.git"),
        ("git@git.example.com:team/p.git", "ssh", "git@git.example.com:team/p.git"),
        ("git.example.com:/srv/p.git", "ssh", "git.example.com:/srv/p.git"),
        ("/srv/git/p.git", "file", "/srv/git/p.git"),
        ("/srv/our repositories/p:1.git", "file", "/srv/our repositories/p:1.git"),
        ("file:///srv/git/p.git", "file", "file:///srv/git/p.git"),
        ("file://localhost/srv/git/p.git", "file", "file:///srv/git/p.git"),
    ],
)
def test_a_good_url_opens_its_own_protocol_alone(url: str, protocol: str, passed: str, tmp_path: Path):
    found = remote(url)
    assert (found.protocol, found.url) == (protocol, passed)
    assert found.environment(tmp_path, None)["GIT_ALLOW_PROTOCOL"] == protocol


@pytest.mark.parametrize(
    "url",
    [
        "",
        "-x",
        "--upload-pack=touch /tmp/marker",
        "ext::sh -c touch% /tmp/marker",
        "ext::sh",
        "fd::17",
        "transport::address",
        "git://git.example.com/p",
        "ftp://git.example.com/p",
        "rsync://git.example.com/p",
        "EXT::sh",
        "policies",
        "./policies",
        "../policies",
        "~/policies",
        "C:",
        "https:///p",
        "https://git.example.com:99999/p",
        "https://[::1/p",
        "https://git.example.com/p?x=1",
        "https://git.example.com/p#x",
        "https://-oProxyCommand=x/p",
        "ssh://-oProxyCommand=touch/p",
        "ssh://git@-oProxyCommand=touch/p",
        "-oProxyCommand=touch:p",
        "git@-oProxyCommand=touch:p",
        "-l@git.example.com:p",
        "git@git.example.com:--upload-pack=x",
        "git@git.example.com:a b",
        "file://git.example.com/p",
        "file://p",
        "https://git.example.com/a b",
        "https://git.example.com/a\nb",
        "https://git.example.com/\x1b[2J",
        "https://-u@git.example.com/p",
    ],
)
def test_section_3_row_3_a_url_that_is_no_plain_repository_is_refused(url: str):
    """With what to write instead."""
    with pytest.raises(Refused, match="write https://"):
        remote(url)


def test_http_over_the_network_is_refused():
    with pytest.raises(Refused, match=r"write https://git\.example\.com/p"):
        remote("http://git.example.com/p")


def test_section_3_row_13_a_password_in_a_url_is_refused_and_not_repeated():
    with pytest.raises(Refused, match="token = ") as caught:
        remote("https://deploy:hunter2@git.example.com/p")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("branch", ["main", "release/1.2", "feature_x", "v1.0", "a@b", "ünïcode", "a-b"])
def test_a_good_branch(branch: str):
    assert remote(branch=branch).settings.branch == branch


ODD = (
    "-x --upload-pack=x a..b a:b a^ a~1 a? a* a[ a\\b /a a/ a//b .a a/.b a.lock a.lock/b a. a@{1} +a a:refs/x"
)


@pytest.mark.parametrize("branch", ["", "a b", "a\nb", "a\x00b", *ODD.split()])
def test_section_3_row_3_an_option_like_or_malformed_branch_is_refused(branch: str):
    with pytest.raises(Refused, match="such as main"):
        remote(branch=branch)


@pytest.mark.parametrize("path", ["..", "a/../b", "/..", ".", "a//b", ".git", "a/.git/b"])
def test_section_3_row_3_a_path_that_leaves_the_tree_is_refused(path: str):
    with pytest.raises(Refused, match="folder inside a repository"):
        remote(path=path)


@pytest.mark.parametrize(
    ("path", "folder"), [("", ""), ("/", ""), ("prod", "prod"), ("/prod/eu/", "prod/eu"), ("-x", "-x")]
)
def test_slashes_around_a_path_do_not_matter(path: str, folder: str):
    assert remote(path=path).folder == folder


@pytest.mark.parametrize("name", ["", "..", ".x", "a/b", "a b", "a\n"])
def test_a_name_that_could_not_be_a_folder_is_refused(name: str):
    with pytest.raises(Refused, match="name"):
        Remote.of(SourceSettings(name, "/srv/p"))


def test_a_key_that_does_not_fit_the_url_is_refused():
    with pytest.raises(Refused, match="a token is for https"):
        remote("git@git.example.com:p", token=Reference(env="T"))
    with pytest.raises(Refused, match="ssh_key is for ssh"):
        remote(ssh_key=Reference(file=Path("/k")))


def test_section_3_row_13_an_ssh_key_from_the_environment_is_refused():
    """It would have to be written to disk."""
    with pytest.raises(Refused, match="file"):
        remote("git@git.example.com:p", ssh_key=Reference(env="KEY"))


def test_section_3_row_3_git_knows_nothing_of_our_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """Neither others' secrets nor the variables that steer git."""
    for name in (
        "GIT_TRACE",
        "GIT_TRACE_CURL",
        "GIT_DIR",
        "GIT_SSH",
        "GIT_PROXY_COMMAND",
        "GIT_EXTERNAL_DIFF",
    ):
        monkeypatch.setenv(name, "hostile")
    monkeypatch.setenv("GIT_CONFIG_PARAMETERS", "'alias.x=!touch'")
    monkeypatch.setenv("SLACK_URL", "hostile")
    monkeypatch.setenv("SSH_AUTH_SOCK", "hostile")
    known = remote().environment(tmp_path, None)
    assert not [name for name, value in known.items() if "hostile" in value or "alias" in value]
    assert (known["HOME"], known["GIT_CONFIG_NOSYSTEM"], known["GIT_TERMINAL_PROMPT"]) == (
        str(tmp_path),
        "1",
        "0",
    )
    options = options_of(known)
    assert options["core.hooksPath"] == "/dev/null"
    assert options["http.followRedirects"] == "false"
    assert options["transfer.fsckObjects"] == "true"
    assert options["protocol.allow"] == "never"
    assert options["core.fsmonitor"] == "false"


def options_of(environment) -> dict[str, str]:
    count = int(environment["GIT_CONFIG_COUNT"])
    return {environment[f"GIT_CONFIG_KEY_{i}"]: environment[f"GIT_CONFIG_VALUE_{i}"] for i in range(count)}


def test_section_3_row_13_a_token_goes_to_its_own_url_only(tmp_path: Path):
    known = remote("https://deploy@git.example.com/p").environment(tmp_path, Secret(TOKEN))
    header = options_of(known)["http.https://git.example.com/p.extraHeader"]
    assert base64.b64decode(header.removeprefix("Authorization: Basic ")).decode() == f"deploy:{TOKEN}"
    assert not [value for value in known.values() if TOKEN in value]


def test_a_token_without_a_user_gets_the_usual_one(tmp_path: Path):
    known = remote().environment(tmp_path, Secret(TOKEN))
    header = options_of(known)["http.https://git.example.com/team/policies.git.extraHeader"]
    assert (
        base64.b64decode(header.removeprefix("Authorization: Basic ")).decode() == f"x-access-token:{TOKEN}"
    )


def test_ssh_asks_nobody_and_trusts_only_what_was_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SSH_AUTH_SOCK", "/agent")
    settings = {"ssh_key": Reference(file=Path("/etc/my keys/id")), "known_hosts": Path("/etc/known")}
    known = remote("git@git.example.com:p", **settings).environment(tmp_path, None)
    words = shlex.split(known["GIT_SSH_COMMAND"])
    assert words[words.index("-i") + 1] == "/etc/my keys/id"
    options = {words[at + 1] for at, word in enumerate(words) if word == "-o"}
    assert options >= {
        "BatchMode=yes",
        "StrictHostKeyChecking=yes",
        "IdentitiesOnly=yes",
        "IdentityAgent=none",
        "UserKnownHostsFile=/etc/known",
    }
    assert "SSH_AUTH_SOCK" not in known


def test_without_a_key_ssh_may_ask_the_agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SSH_AUTH_SOCK", "/agent")
    known = remote("git@git.example.com:p").environment(tmp_path, None)
    assert known["SSH_AUTH_SOCK"] == "/agent"
    assert "-i" not in shlex.split(known["GIT_SSH_COMMAND"])


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("fatal: could not read Username for 'https://x': terminal prompts disabled", "name one"),
        ("fatal: Authentication failed for 'https://x'", "has it expired"),
        ("fatal: unable to access 'x': The requested URL returned error: 403", "may not read"),
        ("fatal: repository 'https://x/' not found", "check the url"),
        ("fatal: unable to access 'x': The requested URL returned error: 302", "redirect"),
        ("Host key verification failed.\nfatal: Could not read from remote repository.", "known_hosts"),
        ("git@x: Permission denied (publickey).\nfatal: Could not read from remote repository.", "right one"),
        ("Warning: Identity file /k not accessible: No such file.\nPermission denied", "file of ssh_key"),
        ("sh: 1: ssh: not found\nfatal: Could not read from remote repository.", "openssh-client"),
        ("fatal: out of memory, malloc failed (tried to allocate 9 bytes)", "larger than is taken"),
        ("fatal: unable to access 'x': Could not resolve host: x", "name service"),
        (
            "fatal: unable to access 'x': Failed to connect to x port 1: Connection refused",
            "is the server up",
        ),
        ("fatal: unable to access 'x': SSL certificate problem: certificate has expired", "not trusted"),
        ("fatal: unable to access 'x': gnutls_handshake() failed: TLS packet", "secure connection"),
        ("fatal: unable to access 'x': The requested URL returned error: 503", "trouble of its own"),
    ],
)
def test_g1_each_trouble_says_what_to_do(said: str, advice: str):
    assert advice in remote().explain(said, None)


def test_section_3_row_13_errors_never_hold_the_token():
    """Raw, URL-encoded or in base64, with or without its user."""
    basic = base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()
    alone = base64.b64encode(TOKEN.encode()).decode()
    forms = [TOKEN, "t0ken%2Fwith%2Bodd%3Dchars", "t0ken/with%2Bodd%3Dchars", basic, alone, alone.rstrip("=")]
    said = remote().explain("fatal: " + " ".join(forms), Secret(TOKEN))
    assert not [form for form in forms if form in said]
    assert said.count("***") == len(forms)


def test_a_remotes_chatter_does_not_hide_what_git_says():
    """Nor does git's advice to people at a keyboard take the place of ours."""
    chatter = (
        "remote: blah\n" * 100 + "fatal: Could not read from remote repository.\n\nPlease make sure you have"
    )
    assert "): fatal: Could not read from remote repository.; remote: blah; remote: blah" in remote().explain(
        chatter, None
    )
    assert "Please" not in remote().explain(chatter, None)
    assert remote().explain("", None).endswith("git failed")


def test_what_a_remote_says_cannot_steer_a_terminal():
    said = remote().explain("fatal: \x1b[2J\x07gone\u202e" + "x" * 10_000, None)
    assert said.isprintable()
    assert len(said) < 500  # a line


def test_readable_cuts_with_a_sign():
    assert readable("abc", 3) == "abc"
    assert readable("abcd", 3) == "ab\N{HORIZONTAL ELLIPSIS}"


def test_a_token_that_cannot_be_read_says_where_it_should_be(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("POLICIES_TOKEN", raising=False)
    with pytest.raises(
        Unavailable, match="source policies: the environment variable POLICIES_TOKEN is empty"
    ):
        remote(token=Reference(env="POLICIES_TOKEN")).secret()
