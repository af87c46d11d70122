"""The sinks, against a real server on loopback."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from rollout.adapters.sinks import slack, webhook
from rollout.adapters.sinks.log import Log
from rollout.adapters.sinks.post import wait
from rollout.adapters.sinks.slack import Slack
from rollout.adapters.sinks.webhook import Webhook, sign
from rollout.core.reason import Level
from rollout.ports import Later, Sink
from rollout.settings import Reference, SlackSink, WebhookSink
from rollout.simulation.sink import SimulatedSink
from tests.contract.sink import ALERT, Bench, SinkContract
from tests.fakes.clock import START, FakeClock

SECRET_PATH = "/services/T000/B000/s3cr3t-in-the-path"
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def ok(request: web.Request) -> web.StreamResponse:
    return web.Response(text="ok")


def status(number: int, text: str = "", **headers: str) -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(status=number, text=text, headers=headers)

    return answer


async def hang(request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(60)
    return web.Response()


async def close(request: web.Request) -> web.StreamResponse:
    assert request.transport
    request.transport.close()
    return web.Response(status=500)


async def half(request: web.Request) -> web.StreamResponse:
    """Headers of a success, and then nothing for ever."""
    answer = web.StreamResponse(headers={"Content-Length": "10"})
    await answer.prepare(request)
    await asyncio.sleep(60)
    return answer


async def endless(request: web.Request) -> web.StreamResponse:
    answer = web.StreamResponse(status=500)
    await answer.prepare(request)
    while True:
        await answer.write(b"x" * 65_536)


@dataclass
class Server:
    """Answers as it is told and keeps what it accepted."""

    answer: Answer = ok
    url: str = ""
    requests: list[tuple[web.Request, bytes]] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        answer = await self.answer(request)
        if answer.status < 300:
            self.requests.append((request, body))
        return answer


@pytest.fixture
async def server():
    told = Server()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", told.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    told.url = f"http://{host}:{port}"
    yield told
    await runner.cleanup()


@pytest.fixture
async def session():
    async with aiohttp.ClientSession() as opened:
        yield lambda: opened


def keep(folder: Path, name: str, secret: str) -> Reference:
    file = folder / name
    file.write_text(secret, encoding="utf-8")
    file.chmod(0o600)
    return Reference(file=file)


@pytest.fixture
def to_webhook(server, session, tmp_path) -> Sink:
    settings = WebhookSink("ops", server.url + "/hook", keep(tmp_path, "secret", "swordfish"))
    return Webhook(settings, session, FakeClock(), deadline=0.5)


@pytest.fixture
def to_slack(server, session, tmp_path) -> Sink:
    settings = SlackSink("chat", keep(tmp_path, "slack", server.url + SECRET_PATH))
    return Slack(settings, session, FakeClock(), deadline=0.5)


def server_bench(server: Server, sink: Sink) -> Bench:
    async def break_it() -> None:
        server.answer = status(503)

    async def mend_it() -> None:
        server.answer = ok

    def arrived() -> list[str]:
        return [json.dumps(json.loads(body), ensure_ascii=False) for _, body in server.requests]

    return Bench(sink, arrived, break_it, mend_it)


class TestWebhook(SinkContract):
    @pytest.fixture
    async def bench(self, server, to_webhook):
        return server_bench(server, to_webhook)


class TestSlack(SinkContract):
    @pytest.fixture
    async def bench(self, server, to_slack):
        return server_bench(server, to_slack)


class TestFakeSink(SinkContract):
    @pytest.fixture
    async def bench(self):
        sink = SimulatedSink()

        async def break_it() -> None:
            sink.down = "it is down"

        async def mend_it() -> None:
            sink.down = ""

        return Bench(sink, lambda: [repr(alert) for alert in sink.arrived], break_it, mend_it)


@pytest.fixture(params=["webhook", "slack"])
def sink(request, to_webhook, to_slack) -> Sink:
    chosen: Sink = to_webhook if request.param == "webhook" else to_slack
    return chosen


@pytest.mark.parametrize("number", [200, 201, 202, 204, 299])
async def test_any_2xx_is_delivered(server, sink, number):
    """L1: a sink that answers 202 or 204 took the alert (others wait for 200 and send for ever)."""
    server.answer = status(number)
    await sink.deliver(ALERT)
    assert len(server.requests) == 1


async def test_the_rest_of_a_success_is_not_waited_for(server, sink):
    """A 200 whose body never comes is a delivery: sending it again would double it."""
    server.answer = half
    await sink.deliver(ALERT)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (status(400, "invalid_payload"), "answered 400 (invalid_payload)"),
        (status(400, "<html>very long</html>"), "answered 400"),
        (status(403), "answered 403; is the secret right, and does it still hold?"),
        (status(404, "no_service"), "answered 404 (no_service); is the address right?"),
        (status(500), "answered 500"),
        (
            status(302, Location="/elsewhere"),
            "answered 302; redirects are not followed: name the address it points to",
        ),
        (hang, "did not answer within 0.5 s"),
        (close, "closed the connection without an answer"),
        (endless, "answered 500"),
    ],
    ids=["400", "400-html", "403", "404", "500", "redirect", "hang", "close", "endless"],
)
async def test_what_is_not_taken_is_sent_later(server, sink, answer, said, caplog):
    """L1: a sink that fails in any way says which and how, and its secret is never part of it."""
    server.answer = answer
    caplog.set_level(logging.DEBUG)
    with pytest.raises(Later) as refusal:
        await sink.deliver(ALERT)
    assert "s3cr3t" not in caplog.text.replace(f"POST {SECRET_PATH}", "")  # the server's own access log
    assert str(refusal.value) in {f"sink ops {said}", f"sink chat {said}"}
    assert refusal.value.after is None
    assert refusal.value.__cause__ is None
    assert server.requests == []


@pytest.mark.parametrize(
    ("header", "after"),
    [("17", 17.0), ("Mon, 02 Mar 2026 09:01:30 GMT", 90.0), ("soon", None), ("999999999", 86_400.0)],
)
@pytest.mark.parametrize("number", [429, 503])
async def test_retry_after_is_honoured(server, sink, number, header, after):
    """L1: the wait that a sink asks for, in seconds or as a date, is handed on (a day at most)."""
    server.answer = status(number, **{"Retry-After": header})
    with pytest.raises(Later) as refusal:
        await sink.deliver(ALERT)
    assert refusal.value.after == after


@pytest.mark.parametrize(
    ("header", "after"),
    [
        ("", None),
        ("0", 0.0),
        ("-3", None),
        ("1.5", None),
        ("²", None),
        ("Mon, 02 Mar 2026 08:00:00 GMT", 0.0),
        ("Mon, 02 Mar 99999999999999999999 09:00:00 GMT", None),
    ],
)
def test_odd_retry_after(header, after):
    """A date that has passed is now; what is neither seconds nor a date is nothing."""
    assert wait(header, datetime(2026, 3, 2, 9, 0, tzinfo=UTC)) == after


async def test_a_dead_port_is_named_without_the_secret(session, tmp_path, unused_tcp_port):
    """L1: a server that is not there is unreachable, in words that do not hold the URL, which is secret."""
    url = f"http://127.0.0.1:{unused_tcp_port}{SECRET_PATH}"
    sink = Slack(SlackSink("chat", keep(tmp_path, "slack", url)), session, FakeClock(), deadline=0.5)
    with pytest.raises(Later) as refusal:
        await sink.deliver(ALERT)
    assert str(refusal.value) == "sink chat cannot be reached: Connection refused"


@pytest.mark.parametrize(
    "url", ["not a url with s3cr3t", "http://", "http://[::1/s3cr3t", "ftp://host/s3cr3t"]
)
async def test_an_address_that_is_none_is_not_shown(session, tmp_path, url):
    """A secret that is no URL is refused without being repeated."""
    sink = Slack(SlackSink("chat", keep(tmp_path, "slack", url)), session, FakeClock(), deadline=0.5)
    with pytest.raises(Later) as refusal:
        await sink.deliver(ALERT)
    assert "s3cr3t" not in str(refusal.value)
    assert str(refusal.value).startswith("sink chat ")


async def test_a_secret_is_read_at_each_use(server, session, tmp_path):
    """A rotated secret is used at once; one that is gone is a sentence, and the alert waits."""
    secret = keep(tmp_path, "secret", "first")
    sink = Webhook(WebhookSink("ops", server.url, secret), session, FakeClock())
    for word in ("first", "second"):
        assert secret.file
        secret.file.write_text(word + "\n", encoding="utf-8")
        await sink.deliver(ALERT)
        request, body = server.requests[-1]
        at = int(START.timestamp())
        assert request.headers["X-Rollout-Signature"] == f"t={at},v1={sign(word, at, body)}"
    assert secret.file
    secret.file.unlink()
    with pytest.raises(Later, match=r"sink ops: the file .*secret cannot be read: No such file"):
        await sink.deliver(ALERT)


async def test_the_webhook_says_what_it_is(server, to_webhook):
    """The event is CloudEvents 1.0 in JSON, and its key is the same each time."""
    await to_webhook.deliver(ALERT)
    await to_webhook.deliver(ALERT)
    (first, body), (second, _) = server.requests
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"] == "prod/jazz/7/worse"
    assert first.headers["Content-Type"] == "application/cloudevents+json"
    assert json.loads(body) == {
        "specversion": "1.0",
        "id": "prod/jazz/7/worse",
        "source": "/rollout",
        "type": "dev.rollout.alert.v1",
        "subject": "prod/jazz",
        "time": "2026-03-02T09:00:00+00:00",
        "datacontenttype": "application/json",
        "data": {
            "rollout": "prod/jazz",
            "reason": "WORSE",
            "level": "notify",
            "headline": "jazz-v2 rolled back at 50 %: 31 of 1000 against 2 of 1000",
            "fields": [
                {"name": "weights", "value": "50 % to 0 %"},
                {"name": "author", "value": "Ann <!channel> <@U1> & ? @here"},
            ],
            "next": "will not be tried again until git offers another revision",
        },
    }


def test_the_signature_is_what_others_compute():
    """HMAC-SHA256 over time, dot and body, checked against a value from openssl."""
    expected = "cfe6e58513add2010d19c23b6b60c5de626ef07d57d5cbb5dd777edfcb2ac1b1"
    assert sign("swordfish", 1_772_442_000, b'{"a":1}') == expected


async def test_an_odd_key_is_a_valid_header(server, to_webhook):
    """A key with line breaks and letters beyond ASCII cannot break the request."""
    await to_webhook.deliver(replace(ALERT, key="prod/jazz ☂\r\nX: y"))
    assert server.requests[0][0].headers["Idempotency-Key"] == "prod/jazz%20%E2%98%82%0D%0AX%3A%20y"


def test_slack_is_not_commanded_by_tenants():
    """Mentions in an author's name are shown as text: nothing a committer writes calls a channel."""
    message = json.loads(slack.render(ALERT))
    texts = [text for block in message["blocks"] for text in _texts(block)]
    author = next(text for text in texts if "Ann" in text["text"])
    assert author == {
        "type": "mrkdwn",
        "text": "*author*\nAnn &lt;!channel&gt; &lt;@U1&gt; &amp; ? @here",
        "verbatim": True,
    }
    assert all(text["type"] == "plain_text" or text["verbatim"] for text in texts)


def test_slack_messages_stay_below_its_limits():
    """However long the texts and however many the fields, Slack's limits on blocks and texts are kept."""
    fields = tuple((f"n{number}" * 200, "<" * 9_000) for number in range(99))
    long = replace(ALERT, headline="&" * 9_000, fields=fields, next="é\n" * 9_000)
    message = json.loads(slack.render(long))
    assert len(message["blocks"]) <= 50
    assert len(message["text"]) <= 4_000
    for block in message["blocks"]:
        assert len(block.get("fields", [])) <= 10
        limit = 150 if block["type"] == "header" else 2_000
        for text in _texts(block):
            assert 0 < len(text["text"]) <= limit
            assert not text["text"].endswith(("&", "&a", "&am", "&amp", "&l", "&lt"))


def _texts(block):
    return [
        *block.get("fields", []),
        *block.get("elements", []),
        *([block["text"]] if "text" in block else []),
    ]


def test_an_empty_alert_is_still_valid():
    """No field, no next step, not even a headline: the message is one that the other side takes."""
    bare = replace(ALERT, headline="", fields=(), next="")
    assert json.loads(slack.render(bare))["blocks"][0]["text"]["text"] == "-"
    assert json.loads(webhook.render(bare))["data"]["fields"] == []


@pytest.mark.parametrize(
    ("level", "expected"),
    [(Level.EVENT, logging.INFO), (Level.NOTIFY, logging.WARNING), (Level.PAGE, logging.ERROR)],
)
async def test_the_log_sink_writes_one_structured_line(caplog, level, expected):
    """An alert in the log is one event whose fields can be searched, as loud as its level."""
    caplog.set_level(logging.INFO, logger="rollout.alerts")
    await Log().deliver(replace(ALERT, level=level))
    (line,) = caplog.records
    assert (line.levelno, line.getMessage()) == (expected, "alert")
    said = vars(line)
    assert (said["rollout"], said["reason"], said["key"]) == ("prod/jazz", "WORSE", ALERT.key)
    assert said["fields"]["weights"] == "50 % to 0 %"
    assert said["next"].startswith("will not be tried")
