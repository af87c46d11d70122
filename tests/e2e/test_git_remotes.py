"""Remotes that are down, slow, hung, private or hostile (FAILURES G1; section 3, rows 3 and 13)."""

from __future__ import annotations

import asyncio
import base64
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep

import pytest

from rollout.adapters.clock import SystemClock
from rollout.adapters.git import GitSource
from rollout.ports import Lost, Unavailable
from rollout.settings import Reference, SourceSettings
from tests.e2e.git_server import CERTIFICATE, GitServer, closed_port, git_server, silence, tcp_server
from tests.repository import Repository

TOKEN = "gl-s3cret/t0ken+x"


def source(folder: Path, url: str, timeout: float = 20.0, **more) -> GitSource:
    return GitSource(
        SourceSettings("policies", url, timeout=timeout, **more), folder / "cache", SystemClock()
    )


def running(needle: str) -> list[str]:
    """The command lines of all living processes that contain the words."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if needle in line:
            lines.append(line)
    return lines


async def nothing_runs(needle: str) -> bool:
    until = monotonic() + 1
    while running(needle) and monotonic() < until:  # noqa: ASYNC110 - a process is waited for
        await asyncio.sleep(0.01)
    return not running(needle)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    made = Repository.create(tmp_path / "remotes" / "policies.git")
    made.commit({"a.yaml": "a: 1\n"})
    return made


@pytest.fixture
def server(repository: Repository) -> Iterator[GitServer]:
    with git_server(repository.path.parent) as serving:
        yield serving


async def refusal(tried: GitSource) -> str:
    with pytest.raises(Unavailable) as caught:
        await tried.read(None)
    assert not isinstance(caught.value, Lost)
    assert "Traceback" not in str(caught.value)
    return str(caught.value)


# Trouble on the way


async def test_g1_a_hung_remote_is_given_up_in_time(tmp_path: Path):
    """It accepts and never answers: git and its helpers are killed at the timeout."""
    with tcp_server(silence) as port:
        began = monotonic()
        said = await refusal(source(tmp_path, f"http://127.0.0.1:{port}/p.git", timeout=0.5))
        assert monotonic() - began < 2
        assert "no answer within 0.5 s" in said
        assert await nothing_runs(f"127.0.0.1:{port}")


async def test_g1_a_remote_that_drips_is_given_up_in_time(tmp_path: Path):
    """A byte now and then does not stretch the deadline."""

    def drip(connection: socket.socket) -> None:
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-advertisement\r\n\r\n"
        )
        while True:
            connection.sendall(b"0")
            sleep(0.05)

    with tcp_server(drip) as port:
        began = monotonic()
        await refusal(source(tmp_path, f"http://127.0.0.1:{port}/p.git", timeout=0.5))
        assert monotonic() - began < 2
        assert await nothing_runs(f"127.0.0.1:{port}")


async def test_g1_a_remote_that_never_stops_talking_is_given_up_in_time(tmp_path: Path):
    """An endless list of references fills neither memory nor disk."""

    def flood(connection: socket.socket) -> None:
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-advertisement\r\n\r\n"
        )
        connection.sendall(b"001e# service=git-upload-pack\n0000")
        line = b"1" * 40 + b" refs/heads/" + b"x" * 1000 + b"%d\n"
        for number in range(10**9):
            reference = line % number
            connection.sendall(b"%04x" % (len(reference) + 4) + reference)

    with tcp_server(flood) as port:
        began = monotonic()
        await refusal(source(tmp_path, f"http://127.0.0.1:{port}/p.git", timeout=1))
        assert monotonic() - began < 3
        assert await nothing_runs(f"127.0.0.1:{port}")


async def test_g1_a_cancelled_read_leaves_no_process(tmp_path: Path):
    """SIGTERM must not wait for a hung remote."""
    with tcp_server(silence) as port:
        reading = asyncio.create_task(source(tmp_path, f"http://127.0.0.1:{port}/p.git").read(None))
        while not running(f"127.0.0.1:{port}"):  # noqa: ASYNC110 - a process is waited for
            await asyncio.sleep(0.01)
        began = monotonic()
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert monotonic() - began < 1
        assert await nothing_runs(f"127.0.0.1:{port}")


async def test_i12_a_hung_remote_delays_no_other_source(tmp_path: Path, repository: Repository):
    """Eight hung remotes, more than a shared pool of threads would have: the ninth answers at once."""
    with tcp_server(silence) as port:
        hung = [source(tmp_path / str(n), f"http://127.0.0.1:{port}/p.git", timeout=2) for n in range(8)]
        tasks = [asyncio.create_task(one.read(None)) for one in hung]
        await asyncio.sleep(0.1)
        began = monotonic()
        await source(tmp_path, repository.url).read(None)
        assert monotonic() - began < 1.5
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def test_g1_a_refused_connection_says_so(tmp_path: Path):
    said = await refusal(source(tmp_path, f"http://127.0.0.1:{closed_port()}/p.git"))
    assert "is the server up, is the port right" in said


async def test_g1_an_unknown_host_says_so(tmp_path: Path):
    assert "name service" in await refusal(source(tmp_path, "https://no-such-host.invalid/p.git"))


async def test_g1_a_certificate_that_nobody_trusts_says_so(tmp_path: Path, repository: Repository):
    with git_server(repository.path.parent, tls=True) as serving:
        assert "certificate is not trusted" in await refusal(source(tmp_path, f"{serving.url}/policies.git"))
    assert serving.requests == []


async def test_g1_a_port_without_tls_says_so(tmp_path: Path, server: GitServer):
    url = server.url.replace("http:", "https:")
    assert "is this an https port" in await refusal(source(tmp_path, f"{url}/policies.git"))


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (401, "name one"),
        (403, "may not read"),
        (404, "check the url"),
        (500, "trouble of its own"),
        (503, "trouble"),
    ],
)
async def test_g1_each_refusal_of_a_server_says_what_to_do(
    tmp_path: Path, server: GitServer, status: int, advice: str
):
    server.answer(lambda handler: handler.answer(status, {"WWW-Authenticate": 'Basic realm="x"'}))
    assert advice in await refusal(source(tmp_path, f"{server.url}/policies.git"))


@pytest.mark.parametrize(
    "to", ["{url}/other.git/info/refs?service=git-upload-pack", "file:///etc/passwd", "ext::sh"]
)
async def test_section_3_row_3_redirects_are_not_followed(tmp_path: Path, server: GitServer, to: str):
    server.answer(lambda handler: handler.answer(302, {"Location": to.format(url=server.url)}))
    assert "redirect" in await refusal(source(tmp_path, f"{server.url}/policies.git"))
    assert not [path for path in server.requests if "other" in path]


async def test_g1_a_page_instead_of_a_repository_is_no_answer(tmp_path: Path, server: GitServer):
    server.answer(
        lambda handler: handler.answer(200, {"Content-Type": "text/html"}, b"<html>\nLog in\n</html>\n")
    )
    assert "is this a git repository?" in await refusal(source(tmp_path, f"{server.url}/policies.git"))


async def test_g1_a_remote_that_comes_back_is_read_again(
    tmp_path: Path, server: GitServer, repository: Repository
):
    """Trouble leaves nothing behind that a later read would stumble over."""
    tried = source(tmp_path, f"{server.url}/policies.git")
    first = await tried.read(None)
    head = repository.commit({"b.yaml": "b: 1\n"})
    server.answer(lambda handler: handler.answer(503, {}))
    await refusal(tried)
    server.answer(None)
    tree = await tried.read(first.commit)
    assert (tree.commit, tree.relation, len(tree.files)) == (head, "newer", 2)


async def test_an_unchanged_remote_costs_one_question(tmp_path: Path, server: GitServer):
    """One connection: the list of references, filtered by the server to the one branch."""
    tried = source(tmp_path, f"{server.url}/policies.git")
    head = (await tried.read(None)).commit
    server.requests.clear()
    assert (await tried.read(head)).relation == "same"
    assert len(server.requests) == 2  # protocol 2: what can you do, then ls-refs


async def test_section_3_row_3_nobody_else_is_asked_for_a_password(
    tmp_path: Path, server: GitServer, monkeypatch: pytest.MonkeyPatch
):
    """Neither a helper that found its way into the mirror's configuration, nor one of the environment."""
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/marker\n")
    program.chmod(0o755)
    tried = source(tmp_path, f"{server.url}/policies.git")
    await tried.read(None)
    mirror = Repository(tmp_path / "cache" / "policies" / "mirror.git")
    mirror.git("config", "credential.helper", str(program))
    mirror.git("config", "core.askPass", str(program))
    monkeypatch.setenv("GIT_ASKPASS", str(program))
    monkeypatch.setenv("SSH_ASKPASS", str(program))
    server.ask_for("x-access-token", TOKEN)
    await refusal(tried)
    assert not (tmp_path / "marker").exists()


# Private repositories


def kept(folder: Path) -> bytes:
    """Every byte below a folder."""
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


async def test_section_3_row_13_a_token_opens_a_private_repository_unseen(
    tmp_path: Path, server: GitServer, monkeypatch: pytest.MonkeyPatch
):
    """While the server answers, no command line on this machine holds the token; no file does later."""
    monkeypatch.setenv("POLICIES_TOKEN", TOKEN)
    server.ask_for("x-access-token", TOKEN)
    lines: list[str] = []
    server.watch(lambda _: lines.extend(running("git")))
    tree = await source(tmp_path, f"{server.url}/policies.git", token=Reference(env="POLICIES_TOKEN")).read(
        None
    )
    assert [file.text for file in tree.files] == [b"a: 1\n"]
    basic = base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()
    assert [line for line in lines if "remote-http" in line], "git was not seen at work: this proves nothing"
    assert not [line for line in lines if TOKEN in line or basic in line]
    assert TOKEN.encode() not in kept(tmp_path / "cache")
    assert basic.encode() not in kept(tmp_path / "cache")


async def test_a_token_in_a_file_is_read_each_time(tmp_path: Path, server: GitServer):
    """So that it can be renewed without a restart."""
    held = tmp_path / "token"
    held.write_text("old\n")
    held.chmod(0o600)
    server.ask_for("deploy", TOKEN)
    url = f"{server.url}/policies.git".replace("http://", "http://deploy@")
    tried = source(tmp_path, url, token=Reference(file=held))
    assert "has it expired" in await refusal(tried)
    held.write_text(TOKEN)
    assert (await tried.read(None)).relation == "first"


async def test_section_3_row_13_a_server_that_repeats_the_token_does_not_betray_it(
    tmp_path: Path, server: GitServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("POLICIES_TOKEN", TOKEN)
    basic = base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()
    body = f"no: {TOKEN} {basic}".encode()
    server.answer(lambda handler: handler.answer(403, {"Content-Type": "text/plain"}, body))
    said = await refusal(
        source(tmp_path, f"{server.url}/policies.git", token=Reference(env="POLICIES_TOKEN"))
    )
    assert TOKEN not in said
    assert basic not in said


async def test_section_3_row_13_a_token_goes_to_its_own_server_only(
    tmp_path: Path, server: GitServer, monkeypatch: pytest.MonkeyPatch
):
    """Neither a redirect nor a proxy of the environment gets to see it."""
    monkeypatch.setenv("POLICIES_TOKEN", TOKEN)
    heard: list[str] = []
    with git_server(tmp_path) as thief:
        thief.watch(lambda handler: heard.append(str(handler.headers)))
        server.answer(
            lambda handler: handler.answer(302, {"Location": f"{thief.url}/policies.git/info/refs"})
        )
        monkeypatch.setenv("http_proxy", thief.url)
        await refusal(source(tmp_path, f"{server.url}/policies.git", token=Reference(env="POLICIES_TOKEN")))
    assert heard == []


async def test_a_private_repository_over_tls(
    tmp_path: Path, repository: Repository, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("POLICIES_TOKEN", TOKEN)
    monkeypatch.setenv("GIT_SSL_CAINFO", str(CERTIFICATE))
    with git_server(repository.path.parent, tls=True) as serving:
        serving.ask_for("x-access-token", TOKEN)
        tried = source(tmp_path, f"{serving.url}/policies.git", token=Reference(env="POLICIES_TOKEN"))
        assert (await tried.read(None)).files[0].path == "a.yaml"


@pytest.fixture
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], object]:
    """A stand-in for the ssh program, on the PATH; it runs whatever script it is given."""
    program = tmp_path / "bin" / "ssh"
    program.parent.mkdir()
    program.touch(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    return lambda script: program.write_text(f"#!/bin/sh\n{script}\n")


async def test_a_private_repository_over_ssh(
    tmp_path: Path, ssh: Callable[[str], object], repository: Repository
):
    """With exactly the key and the known hosts that were named, and nobody to ask."""
    ssh(f'printf "%s\\n" "$@" > {tmp_path}/arguments\nfor last; do :; done\nexec sh -c "$last"')
    key, hosts = Reference(file=tmp_path / "key file"), tmp_path / "known"
    url = f"ssh://git@git.example.com{repository.path}"
    tree = await source(tmp_path, url, ssh_key=key, known_hosts=hosts).read(None)
    assert tree.files[0].text == b"a: 1\n"
    arguments = (tmp_path / "arguments").read_text().splitlines()
    assert arguments[arguments.index("-i") + 1] == str(tmp_path / "key file")
    assert {"BatchMode=yes", "StrictHostKeyChecking=yes", "IdentitiesOnly=yes"} <= set(arguments)
    assert f"UserKnownHostsFile={tmp_path / 'known'}" in arguments
    assert "git@git.example.com" in arguments


async def test_g1_an_unknown_ssh_host_says_so(tmp_path: Path, ssh: Callable[[str], object]):
    ssh("echo 'Host key verification failed.' >&2\nexit 255")
    assert "known_hosts" in await refusal(source(tmp_path, "git@git.example.com:policies.git"))


async def test_g1_a_hung_ssh_is_killed(tmp_path: Path, ssh: Callable[[str], object]):
    """Also what ssh itself has started."""
    ssh("sleep 61.5 &\nsleep 61.5")
    began = monotonic()
    await refusal(source(tmp_path, "git@git.example.com:policies.git", timeout=0.5))
    assert monotonic() - began < 2
    assert await nothing_runs("sleep 61.5")


def test_g1_without_git_from_the_start_it_says_how_to_get_it(repository: Repository, tmp_path: Path):
    """GitPython will not even be imported then."""
    program = (
        "import asyncio, pathlib, sys\n"
        "from rollout.adapters.clock import SystemClock\n"
        "from rollout.adapters.git import GitSource\n"
        "from rollout.settings import SourceSettings\n"
        "source = GitSource(SourceSettings('p', sys.argv[1]), pathlib.Path(sys.argv[2]), SystemClock())\n"
        "asyncio.run(source.read(None))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, repository.url, str(tmp_path / "cache")],
        env={"PATH": str(tmp_path / "empty")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr.splitlines()[-1].startswith(
        "rollout.ports.Unavailable: source p: git is not on the PATH"
    )


async def test_g1_without_git_it_says_how_to_get_it(
    tmp_path: Path, repository: Repository, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert "apt-get install git" in await refusal(source(tmp_path, repository.url))
