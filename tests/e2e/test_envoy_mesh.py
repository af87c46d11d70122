"""Weights in real Envoys under real traffic: what clients get, what a proxy keeps, what a crash leaves."""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest
import yaml

from rollout.adapters.clock import SystemClock
from rollout.adapters.meshes.envoy import EnvoyFiles
from rollout.core.model import MeshSeen, Route, Split
from rollout.demo.envoy import route_file, weighted_route
from rollout.ports import Lost, Refused, Unavailable
from rollout.settings import EnvoyMesh
from tests.envoys import Site

HOME = Split.all_on("jazz-v1")
HALF = Split.between("jazz-v1", "jazz-v2", 5_000)
FOREIGN = """\
# kept by hand; ask the edge team
version_info: "7"
resources:
- "@type": type.googleapis.com/envoy.config.route.v3.RouteConfiguration
  name: jazz
  virtual_hosts:
  - name: shop
    domains: ["*"]
    routes:
    - match: {prefix: /health}
      direct_response: {status: 200, body: {inline_string: well}}
    - name: songs            # {"$imagepolicy": "jazz"}
      match: {prefix: /}
      route:
        timeout: 1.50s
        retry_policy: {retry_on: 5xx, num_retries: 1}
        weighted_clusters:
          clusters:
          - name: jazz-v1
            weight: 100
            response_headers_to_add:
            - header: {key: x-served-by, value: "01"}
    response_headers_to_add:
    - header: {key: x-shop, value: "yes"}
"""


@contextlib.asynccontextmanager
async def mesh_of(site: Site) -> AsyncIterator[EnvoyFiles]:
    mesh = EnvoyFiles(site.mesh, SystemClock())
    try:
        yield mesh
    finally:
        await mesh.close()


async def write(mesh: EnvoyFiles, route: Route, split: Split, home: Split = HOME, epoch: int = 1) -> None:
    seen = await mesh.read(route, 2.0)
    await mesh.write(route, split, version=seen.version, home=home, epoch=epoch)


async def settled(mesh: EnvoyFiles, route: Route, split: Split) -> MeshSeen:
    until = time.monotonic() + 5
    while True:
        seen = await mesh.read(route, 2.0)
        if all(proxy.splits == (split,) for proxy in seen.proxies):
            return seen
        assert time.monotonic() < until, seen


class Traffic:
    """Requests without a pause: ``answers`` are (time it was sent, who answered)."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.answers: list[tuple[float, str]] = []

    @contextlib.asynccontextmanager
    async def flow(self, clients: int = 2) -> AsyncIterator[None]:
        async with aiohttp.ClientSession() as session:
            tasks = [asyncio.create_task(self._run(session)) for _ in range(clients)]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, session: aiohttp.ClientSession) -> None:
        while True:
            sent = time.monotonic()
            async with session.get(self.address) as answer:
                self.answers.append((sent, await answer.text()))

    def since(self, then: float) -> Counter[str]:
        return Counter(who for sent, who in self.answers if sent >= then)


async def test_clients_get_what_the_weights_say(start_site):
    """Written shares are the shares that clients see; at home, nobody reaches the canary any more."""
    site = start_site()
    traffic = Traffic(site.address())
    async with mesh_of(site) as mesh, traffic.flow():
        await write(mesh, site.route, Split.between("jazz-v1", "jazz-v2", 2_000))
        await settled(mesh, site.route, Split.between("jazz-v1", "jazz-v2", 2_000))
        began = time.monotonic()
        await asyncio.sleep(1.0)
        share = traffic.since(began)["jazz-v2"] / traffic.since(began).total()
        await write(mesh, site.route, HOME)
        await settled(mesh, site.route, HOME)
        home = time.monotonic()
        await asyncio.sleep(0.3)
    assert 0.14 < share < 0.26
    assert set(traffic.since(home)) == {"jazz-v1"}
    assert traffic.since(home).total() > 20


async def test_a_foreign_file_keeps_everything_but_weights(start_site):
    """T5: headers, retries, timeouts, other routes, comments: all as they were, and in force."""
    site = start_site(text=FOREIGN)
    async with mesh_of(site) as mesh, aiohttp.ClientSession() as client:
        for split in (Split.between("jazz-v1", "jazz-v2", 1), HALF, HOME):
            await write(mesh, site.route, split)
            await settled(mesh, site.route, split)
            async with client.get(site.address() + "health") as answer:
                assert await answer.text() == "well"
        async with client.get(site.address()) as answer:
            assert (answer.headers["x-shop"], answer.headers["x-served-by"]) == ("yes", "01")
        text = site.path.read_text(encoding="utf-8")
        assert text == FOREIGN.replace('"7"', '"rollout/1/3"').replace("weight: 100\n", "weight: 10000\n")
        dump = json.loads(site.proxies[0].get("/config_dump?resource=dynamic_route_configs"))
        [route] = [dump["configs"][0]["route_config"]["virtual_hosts"][0]["routes"][1]]
        assert route["route"]["timeout"] == "1.500s"
        assert route["route"]["retry_policy"] == {"retry_on": "5xx", "num_retries": 1}


async def test_a_plain_cluster_becomes_weighted(start_site):
    """A route to one cluster is split by the first write, and keeps its other options."""
    plain = {"match": {"prefix": "/"}, "route": {"cluster": "jazz-v1", "timeout": "3s"}}
    site = start_site(text=route_file("jazz", plain))
    async with mesh_of(site) as mesh:
        assert (await mesh.read(site.route, 2.0)).splits == (HOME,)
        await write(mesh, site.route, HALF)
        await settled(mesh, site.route, HALF)
        await write(mesh, site.route, HOME)
        await settled(mesh, site.route, HOME)
    [route] = yaml.safe_load(site.path.read_text())["resources"][0]["virtual_hosts"][0]["routes"]
    assert route["route"] == {
        "timeout": "3s",
        "weighted_clusters": {"clusters": [{"name": "jazz-v1", "weight": 10_000}]},
    }


async def test_envoy_reads_once_for_each_write(start_site):
    """The hidden files beside a route's do not make Envoy read again; the staged one is the way home."""
    site = start_site()

    def updates() -> int:
        [count] = site.proxies[0].counters("rds%5C.jazz%5C.update_attempt").values()
        return int(count)

    before = updates()
    async with mesh_of(site) as mesh:
        await write(mesh, site.route, HALF)
        await settled(mesh, site.route, HALF)
        staged = (site.routes / ".jazz.yaml.home").stat().st_ino
        await write(mesh, site.route, HOME)
        await settled(mesh, site.route, HOME)
    assert site.path.stat().st_ino == staged, "going home was a rename"
    assert updates() - before == 2
    assert {path.name for path in site.routes.iterdir()} == {"jazz.yaml", ".jazz.yaml.lock"}


async def test_a_rejected_file_is_mended_by_going_home(start_site):
    """M2: a proxy that rejects keeps its old weights and is named; the next good file is taken."""
    site = start_site(proxies=2)
    async with mesh_of(site) as mesh:
        await write(mesh, site.route, HALF)
        await settled(mesh, site.route, HALF)
        bad = site.path.read_text(encoding="utf-8").replace("    - '*'\n", "    - '*'\n    - '*'\n")
        site.put(bad.replace("rollout/1/1", "rollout/1/99"))
        seen = await mesh.read(site.route, 2.0)
        until = time.monotonic() + 5
        while not all("update_rejected" in proxy.rejected for proxy in seen.proxies):
            assert time.monotonic() < until, seen
            seen = await mesh.read(site.route, 2.0)
        assert all(proxy.splits == (HALF,) for proxy in seen.proxies)
        site.put(bad.replace("    - '*'\n    - '*'\n", "    - '*'\n"))
        await write(mesh, site.route, HOME)
        seen = await settled(mesh, site.route, HOME)
        assert not any(proxy.rejected for proxy in seen.proxies)


async def test_a_proxy_that_starts_later_is_read_like_the_others(start_site):
    """A proxy that begins in the middle of a rollout takes the file as it is."""
    site = start_site()
    async with mesh_of(site) as mesh:
        await write(mesh, site.route, HALF)
    site.add_proxy(1)
    async with mesh_of(site) as mesh:
        seen = await settled(mesh, site.route, HALF)
        assert len(seen.proxies) == 2


async def test_a_proxy_without_the_route_shows_none(start_site):
    """A proxy that does not have the route configuration is no proof of anything."""
    site = start_site()
    (site.routes / "swing.yaml").write_text(route_file("swing", weighted_route({"jazz-v1": 1})))
    async with mesh_of(site) as mesh:
        seen = await mesh.read(Route("envoy", "edge", "swing"), 2.0)
        assert seen.splits == (HOME,)
        [proxy] = seen.proxies
        assert (proxy.splits, proxy.unreachable) == ((), "")


async def test_endpoints_that_fail_their_health_checks_are_not_ready(start_site):
    """Ready is what Envoy would send requests to: outlier and health checks count."""
    check = {
        "timeout": "0.2s",
        "interval": "0.1s",
        "unhealthy_threshold": 1,
        "healthy_threshold": 1,
        "no_traffic_interval": "0.1s",
        "http_health_check": {"path": "/"},
    }
    site = start_site({"jazz-v1": 200, "jazz-v2": 503})
    for settings in site.clusters:
        settings["health_checks"] = [check]
    site.add_proxy(1)
    mesh = EnvoyFiles(EnvoyMesh("edge", site.routes, (site.proxies[1].admin,)), SystemClock())
    try:
        until = time.monotonic() + 5
        while (ready := (await mesh.read(site.route, 2.0)).ready) != {"jazz-v1": 1, "jazz-v2": 0}:
            assert time.monotonic() < until, ready
    finally:
        await mesh.close()


async def test_a_killed_writer_leaves_a_whole_file(start_site, tmp_path):
    """kill -9 in the middle of writes: the file is whole, bears a split that was asked for, and the next
    writer goes on over what was left behind.
    """
    site = start_site()
    program = tmp_path / "writer.py"
    program.write_text(
        "import asyncio, sys, pathlib\n"
        "from rollout.adapters.clock import SystemClock\n"
        "from rollout.adapters.meshes.envoy import EnvoyFiles\n"
        "from rollout.core.model import Route, Split\n"
        "from rollout.settings import EnvoyMesh\n"
        "async def main():\n"
        "    mesh = EnvoyFiles(EnvoyMesh('edge', pathlib.Path(sys.argv[1]), ()), SystemClock())\n"
        "    route, home = Route('envoy', 'edge', 'jazz'), Split.all_on('jazz-v1')\n"
        "    while True:\n"
        "        for split in (Split.between('jazz-v1', 'jazz-v2', 5000), home):\n"
        "            seen = await mesh.read(route, 1.0)\n"
        "            await mesh.write(route, split, version=seen.version, home=home, epoch=3)\n"
        "            print('.', flush=True)\n"
        "asyncio.run(main())\n"
    )
    for number in range(8):
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, str(program), str(site.routes)), stdout=asyncio.subprocess.PIPE
        )
        assert child.stdout is not None
        await child.stdout.readline()
        await asyncio.sleep(0.002 * number)
        child.kill()
        await child.wait()
        async with mesh_of(site) as mesh:
            seen = await mesh.read(site.route, 2.0)
            assert seen.splits in {(HALF,), (HOME,)}
            await write(mesh, site.route, HALF, epoch=4)
            await write(mesh, site.route, HOME, epoch=4)
            assert (await settled(mesh, site.route, HOME)).epoch == 4


@contextlib.contextmanager
def replaced(site: Site, text: str) -> Iterator[None]:
    kept = site.path.read_bytes()
    site.path.write_text(text)
    yield
    site.path.write_bytes(kept)


async def test_a_file_that_cannot_be_used_says_where_and_why(start_site):
    """Each bad file is refused with its place and what is wrong; nothing is written."""
    site = start_site()
    two = route_file("jazz", weighted_route({"jazz-v1": 1}), weighted_route({"assets": 1}, prefix="/static"))
    async with mesh_of(site) as mesh:
        for text, kind, words in [
            ("resources: [", Unavailable, "jazz.yaml: line "),
            ("a: 1\na: 2\n", Unavailable, "line 2, column 1: a stands here twice"),
            ("a: &x 1\nresources: *x\n", Unavailable, "line 2, column 12: an alias"),
            ("[" * 5_000, Unavailable, "nested over"),
            ("resources: []\n", Lost, "no RouteConfiguration named jazz"),
            (two, Refused, "pin them in the policy with `routes: [NAME]`"),
            (route_file("jazz", weighted_route({"jazz-v1": 0})), Refused, "every weight is 0"),
        ]:
            with replaced(site, text), pytest.raises(kind, match=words.replace("[", r"\[")):
                await mesh.read(site.route, 2.0)


async def test_links_are_not_written_through(start_site):
    """A mounted ConfigMap is links: its weights can be read, and a write says what to do instead."""
    site = start_site()
    hidden = site.routes / "..data.yaml"
    site.path.rename(hidden)
    site.path.symlink_to(hidden)
    async with mesh_of(site) as mesh:
        seen = await mesh.read(site.route, 2.0)
        with pytest.raises(Refused, match="symbolic link"):
            await mesh.write(site.route, HALF, version=seen.version, home=HOME, epoch=1)
    assert hidden.read_text() == route_file("jazz", weighted_route({"jazz-v1": 100}))


async def test_a_locked_file_is_waited_for_a_moment(start_site):
    """Another writer holds the lock: the write waits a second, then says so; when it lets go, it is made."""
    import fcntl

    site = start_site()
    async with mesh_of(site) as mesh:
        with (site.routes / ".jazz.yaml.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with pytest.raises(Unavailable, match="locked"):
                await write(mesh, site.route, HALF)
            assert (await mesh.read(site.route, 2.0)).splits == (HOME,)
        await write(mesh, site.route, HALF)
        assert (await mesh.read(site.route, 2.0)).splits == (HALF,)


async def test_mode_and_owner_stay(start_site):
    """The file is as readable for Envoy after a write as before."""
    site = start_site()
    site.path.chmod(0o640)
    async with mesh_of(site) as mesh:
        for split in (HALF, HOME):
            await write(mesh, site.route, split)
            assert site.path.stat().st_mode & 0o777 == 0o640


@contextlib.contextmanager
def full_disk() -> Iterator[None]:
    """No file may grow: what a full disk is to a writer."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


async def test_a_full_disk_stops_the_rise_and_not_the_way_home(start_site):
    """Q1, DESIGN 14.14: nothing rises that cannot be written, but the way home lies there already."""
    site = start_site()
    async with mesh_of(site) as mesh:
        seen = await mesh.read(site.route, 2.0)
        with full_disk(), pytest.raises(Unavailable, match="could not be written"):
            await mesh.write(site.route, HALF, version=seen.version, home=HOME, epoch=1)
        assert (await mesh.read(site.route, 2.0)).version == seen.version
        await write(mesh, site.route, HALF)
        seen = await settled(mesh, site.route, HALF)
        with full_disk():
            await mesh.write(site.route, HOME, version=seen.version, home=HOME, epoch=1)
        await settled(mesh, site.route, HOME)


async def test_a_staged_file_that_was_touched_is_made_anew(start_site):
    """What lies beside a route's file is used only as it was left there."""
    site = start_site()
    async with mesh_of(site) as mesh:
        await write(mesh, site.route, HALF)
        (site.routes / ".jazz.yaml.home").write_text("resources: []\n")
        await write(mesh, site.route, HOME)
        await settled(mesh, site.route, HOME)
        await write(mesh, site.route, HALF)
        (site.routes / ".jazz.yaml.home").unlink()
        await write(mesh, site.route, HOME)
        await settled(mesh, site.route, HOME)


async def test_a_name_cannot_leave_the_folder(tmp_path):
    """A policy names a route, never a path: what is outside the folder is neither read nor written."""
    (tmp_path / "x.yaml").write_text(FOREIGN)
    (tmp_path / "routes").mkdir()
    mesh = EnvoyFiles(EnvoyMesh("edge", tmp_path / "routes", ()), SystemClock())
    for name in ("../x", "/etc/passwd", ".x", "x\0"):
        with pytest.raises(Unavailable, match="cannot be the name of a file"):
            await mesh.read(Route("envoy", "edge", name), 1.0)
    await mesh.close()
