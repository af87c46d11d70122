"""Prometheus' HTTP interface, asked carefully, through prometheus-api-client.

Not an adapter: it serves no port. The client drops warnings, follows redirects, repeats what failed and reads
bodies of any size; all of it goes through one method of its session, which is ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import orjson
import requests
from prometheus_api_client import PrometheusConnect
from requests.adapters import HTTPAdapter

from rollout.adapters.envoy_admin import BODY_CAP, PATIENCE, Silent
from rollout.settings import Reference, Unread


@dataclass(frozen=True, slots=True)
class Answer:
    """``result`` as Prometheus gave it; ``warnings`` that it is not whole; ``at``: by the server's clock."""

    result: list[Any]
    warnings: tuple[str, ...] = ()
    at: datetime | None = None


def sample(pair: Any) -> tuple[float, float]:
    """When, and which value, as Prometheus writes it: ``[1767268799.5, "12"]``.

    Raises:
        TypeError, ValueError: it is no such thing.
    """
    moment, text = pair
    if type(moment) not in {int, float} or type(text) is not str or "_" in text or text.strip() != text:
        raise ValueError(f"{pair!r} is no sample")
    try:
        return float(moment), float(text)
    except OverflowError:
        raise ValueError(f"{moment} is no moment") from None


def labels_of(found: Any, *needed: str) -> Mapping[str, str]:
    """A series' labels, these among them.

    Raises:
        TypeError, LookupError, ValueError: they are no such thing.
    """
    labels: Mapping[str, str] = found["metric"]
    if (
        type(labels) is not dict
        or not set(map(type, labels.values())) <= {str}
        or not labels.keys() >= set(needed)
    ):
        raise ValueError(f"{labels!r} are no labels")
    return labels


def literal(text: str) -> str:
    """``text`` as a string of PromQL, whatever it holds."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


class Api:
    """One server. It blocks: call it from a thread."""

    def __init__(self, url: str, token: Reference | None, monotonic: Callable[[], float]) -> None:
        self._token = token
        self._session = _Bounded(monotonic)
        self._client = PrometheusConnect(url.rstrip("/"), session=self._session, retry=0)

    def query(self, query: str) -> Answer:
        """The answer to one instant query, in at most ``PATIENCE`` seconds.

        Raises:
            Silent: there is none that can be used; ``str()`` says why.
        """
        try:
            if self._token is not None:
                self._session.headers["Authorization"] = f"Bearer {self._token.read().reveal()}"
            result = self._client.custom_query(query)
        except Unread as unread:
            raise Silent(f"cannot be asked: {unread}") from None
        except requests.Timeout:
            raise Silent(f"did not answer within {PATIENCE:g} s") from None
        except requests.RequestException as error:
            raise Silent(f"cannot be reached: {type(error).__name__}") from None
        except (TypeError, LookupError, RecursionError):
            raise Silent("answered JSON that is not Prometheus'; is this its address?") from None
        if not isinstance(result, list):
            raise Silent("answered JSON that is not Prometheus'; is this its address?")
        return Answer(result, self._session.warnings, self._session.at)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()


class _Bounded(requests.Session):
    """Whole answers of status 200, from where we asked, in ``PATIENCE`` seconds and ``BODY_CAP`` bytes."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        super().__init__()
        self._monotonic = monotonic
        self.trust_env = False
        self.warnings: tuple[str, ...] = ()
        self.at: datetime | None = None
        self.headers["Accept-Encoding"] = "identity"

    def mount(self, prefix: str | bytes, adapter: Any) -> None:
        """Nothing is repeated: the next look asks again."""
        super().mount(str(prefix), HTTPAdapter() if isinstance(adapter, HTTPAdapter) else adapter)

    def request(self, method: Any, url: Any, **more: Any) -> requests.Response:  # type: ignore[override]
        """As the session's, bounded.

        Raises:
            Silent: the answer is not one of those.
        """
        until = self._monotonic() + PATIENCE
        more |= {"allow_redirects": False, "stream": True, "timeout": PATIENCE}
        with super().request(method, url, **more) as answer:
            if answer.status_code != requests.codes.ok:
                raise Silent(f"answered with status {answer.status_code}")
            answer._content = self._body(answer, until)  # noqa: SLF001 - what `.json()` reads
        self.at = _moment(answer.headers.get("Date", ""))
        self.warnings = warnings_of(answer.content)
        return answer

    def _body(self, answer: requests.Response, until: float) -> bytes:
        body = bytearray()
        for chunk in answer.iter_content(65_536):
            body += chunk
            if len(body) > BODY_CAP:
                raise Silent(f"answered with more than {BODY_CAP} bytes")
            if self._monotonic() > until:
                raise Silent(f"did not answer within {PATIENCE:g} s")
        return bytes(body)


def _moment(date: str) -> datetime | None:
    try:
        return parsedate_to_datetime(date)
    except ValueError:
        return None


def warnings_of(body: bytes) -> tuple[str, ...]:
    """What the server says of an answer that is not whole.

    Raises:
        Silent: it is no JSON object of a query that succeeded.
    """
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        what = "HTML" if body.lstrip()[:1] == b"<" else "something"
        raise Silent(f"answered {what} that is not JSON; is this Prometheus' address?") from None
    if not isinstance(answer, dict) or answer.get("status") != "success":
        raise Silent("answered JSON without a success; is this Prometheus' address?")
    warnings = answer.get("warnings") or []
    return tuple(map(str, warnings)) if isinstance(warnings, list) else (str(warnings),)
