"""The API server asked carefully: what its answers mean, against one that answers as told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from rollout.adapters.clock import SystemClock
from rollout.adapters.kubernetes_api import ApiServer, Resource
from rollout.ports import Lost, Moved, Refused, Unavailable
from rollout.settings import KubernetesMesh

ROUTE = Resource("gateway.networking.k8s.io", "v1", "httproutes", "prod", "jazz")


class Told:
    """An API server: ``answers`` are (status, body, headers), the last one again and again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.answers: list[tuple[int, Any, dict[str, str]]] = [(200, {"metadata": {"name": "jazz"}}, {})]
        self.asked: list[web.BaseRequest] = []
        self.delay = 0.0

    async def __call__(self, request: web.BaseRequest) -> web.Response:
        self.asked.append(request)
        await request.read()
        await asyncio.sleep(self.delay)
        status, body, headers = self.answers[0] if len(self.answers) == 1 else self.answers.pop(0)
        text = body if isinstance(body, str) else json.dumps(body)
        return web.Response(status=status, text=text, headers=headers, content_type="application/json")

    def token(self, token: str) -> None:
        (self.folder / "token").write_text(token)

    def refuse(self, status: int, message: str = "", *, name: str = "jazz", **headers: str) -> None:
        body = {"kind": "Status", "message": message, "details": {"name": name} if name else {}}
        self.answers = [(status, body, headers)]


@pytest.fixture
async def told(tmp_path: Path) -> AsyncIterator[Told]:
    told = Told(tmp_path)
    told.token("first")
    runner = web.ServerRunner(web.Server(told))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "here", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "me", "user": {"tokenFile": str(tmp_path / "token")}}],
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
        "current-context": "here",
    }
    (tmp_path / "kubeconfig").write_text(json.dumps(config))
    yield told
    await runner.cleanup()


@pytest.fixture
async def api(told: Told) -> AsyncIterator[ApiServer]:
    api = ApiServer(KubernetesMesh("k", ("prod",), told.folder / "kubeconfig"), SystemClock())
    yield api
    await api.close()


async def test_an_object_is_asked_for_by_its_path_and_our_token(told: Told, api: ApiServer):
    assert await api.get(ROUTE, 2.0) == {"metadata": {"name": "jazz"}}
    [asked] = told.asked
    assert asked.path == "/apis/gateway.networking.k8s.io/v1/namespaces/prod/httproutes/jazz"
    assert asked.headers["Authorization"] == "Bearer first"


async def test_k4_a_token_that_is_not_taken_is_read_again_once(told: Told, api: ApiServer):
    await api.get(ROUTE, 2.0)
    told.token("second")
    told.answers = [(401, {"message": "Unauthorized"}, {}), (200, {"metadata": {}}, {})]
    assert await api.get(ROUTE, 2.0) == {"metadata": {}}
    assert told.asked[-1].headers["Authorization"] == "Bearer second"
    told.refuse(401, "Unauthorized")
    before = len(told.asked)
    with pytest.raises(Unavailable, match="does not take our token: give the daemon another"):
        await api.get(ROUTE, 2.0)
    assert len(told.asked) == before + 2


@pytest.mark.parametrize(
    ("status", "message", "name", "trouble", "said"),
    [
        (404, "not found", "jazz", Lost, "httproutes.gateway.networking.k8s.io jazz in prod is not there"),
        (404, "404 page not found", "", Unavailable, "does not serve httproutes.gateway.networking.k8s.io"),
        (409, "the object has been modified", "jazz", Moved, "was changed by somebody else"),
        (
            403,
            "User cannot",
            "jazz",
            Unavailable,
            "may not patch httproutes.gateway",
        ),
        (403, 'webhook "x" denied the request: no', "jazz", Refused, "refuses it: webhook"),
        (422, "weight: must be positive", "jazz", Refused, "refuses it: weight: must be positive"),
        (500, "etcd is away", "jazz", Unavailable, "answers 500: etcd is away"),
        (503, "not ready", "", Unavailable, "answers 503: not ready"),
    ],
)
async def test_what_an_answer_means(
    told: Told, api: ApiServer, status: int, message: str, name: str, trouble: type[Exception], said: str
):
    told.refuse(status, message, name=name)
    with pytest.raises(trouble, match=said):
        await api.patch(ROUTE, [], 2.0, urgent=False)


async def test_k3_while_a_pause_is_asked_for_only_the_way_home_is_tried(told: Told, api: ApiServer):
    told.refuse(429, "slow down", **{"Retry-After": "20"})
    with pytest.raises(Unavailable, match="asks us to wait 20 s"):
        await api.get(ROUTE, 2.0)
    told.answers = [(200, {}, {})]
    with pytest.raises(Unavailable, match="asked us to wait"):
        await api.get(ROUTE, 2.0)
    with pytest.raises(Unavailable, match="asked us to wait"):
        await api.patch(ROUTE, [], 2.0, urgent=False)
    assert len(told.asked) == 1
    await api.patch(ROUTE, [{"op": "test"}], 2.0, urgent=True)
    assert told.asked[-1].headers["Content-Type"] == "application/json-patch+json"
    assert told.asked[-1].query["fieldManager"] == "rollout-controller"


async def test_k1_who_does_not_answer_is_not_waited_for(told: Told, api: ApiServer):
    told.delay = 5.0
    with pytest.raises(Unavailable, match=r"did not answer within 0\.1 s"):
        await api.get(ROUTE, 0.1)


@pytest.mark.parametrize("body", ["[1]", "<html>", '{"metadata": '])
async def test_an_answer_that_is_no_object_is_no_answer(told: Told, api: ApiServer, body: str):
    told.answers = [(200, body, {})]
    with pytest.raises(Unavailable, match="not a JSON object"):
        await api.get(ROUTE, 2.0)


async def test_who_is_not_there_is_named(tmp_path: Path):
    api = ApiServer(KubernetesMesh("k", ("prod",), tmp_path / "none"), SystemClock())
    with pytest.raises(Unavailable, match="none says of no cluster that could be used"):
        await api.get(ROUTE, 2.0)
    (tmp_path / "broken").write_text("{}")
    api = ApiServer(KubernetesMesh("k", ("prod",), tmp_path / "broken"), SystemClock())
    with pytest.raises(Unavailable, match="broken says of no cluster that could be used"):
        await api.get(ROUTE, 2.0)


async def test_the_first_version_that_serves_a_kind_is_taken_and_kept(told: Told, api: ApiServer):
    told.answers = [
        (404, "404 page not found", {}),
        (200, {"resources": [{"name": "httproutes"}, {"name": "httproutes/status"}]}, {}),
    ]
    for _ in range(2):
        assert await api.version(ROUTE.group, "httproutes", ("v1", "v1beta1"), 2.0) == "v1beta1"
    assert len(told.asked) == 2
    with pytest.raises(Unavailable, match="does not serve tcproutes"):
        await api.version(ROUTE.group, "tcproutes", ("v1",), 2.0)
