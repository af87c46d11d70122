"""The API server of a cluster, asked carefully, through ``kubernetes.aio``.

Not an adapter: it serves no port. What it answers is plain JSON; what goes wrong is one of the ports'
troubles, with a sentence that says what to do. Nothing is asked twice, but for a token that was replaced.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import aiohttp

from rollout.ports import Clock, Lost, Moved, Refused, Unavailable
from rollout.settings import KubernetesMesh

MANAGER = "rollout-controller"
"""The name under which our writes stand in an object's managedFields."""
CONNECTIONS = 50
LONGEST_PAUSE = 30.0
"""Seconds: the API server may ask for a longer pause, it gets this one."""
UNAUTHORISED, FORBIDDEN, ABSENT, CONFLICT, TOO_MANY, WRONG = 401, 403, 404, 409, 429, (400, 413, 422)


@dataclass(frozen=True, slots=True)
class Resource:
    """Objects of one kind, or one object; ``group`` is empty for the core's own."""

    group: str
    version: str
    plural: str
    namespace: str
    name: str = ""

    @property
    def path(self) -> str:
        """Where the API server has it."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        place = f"/namespaces/{quote(self.namespace, safe='')}/{self.plural}"
        return root + place + (f"/{quote(self.name, safe='')}" if self.name else "")

    @property
    def kind(self) -> str:
        """As RBAC and people call it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def __str__(self) -> str:
        return (
            f"{self.kind} {self.name} in {self.namespace}"
            if self.name
            else f"{self.kind} in {self.namespace}"
        )


class ApiServer:
    """One cluster's. The connection is made at the first question, and anew when our token is not taken:
    files with tokens are read again then.
    """

    def __init__(self, settings: KubernetesMesh, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._client: Any = None
        self._connecting = asyncio.Lock()
        self._served: dict[tuple[str, str], str] = {}
        self._pause_until = 0.0

    async def get(self, resource: Resource, deadline: float) -> dict[str, Any]:
        """One object.

        Raises:
            Lost: it is not there.
            Unavailable: it cannot be read now.
        """
        return await self._ask("GET", "get", resource, deadline)

    async def all(self, resource: Resource, deadline: float, selector: str = "") -> list[dict[str, Any]]:
        """All objects of a kind in a namespace; they may be a moment old.

        Raises:
            Unavailable: they cannot be read now.
        """
        query = [("resourceVersion", "0"), *([("labelSelector", selector)] if selector else [])]
        items: list[dict[str, Any]] = (await self._ask("GET", "list", resource, deadline, query=query))[
            "items"
        ]
        return items

    async def patch(
        self, resource: Resource, changes: Sequence[Mapping[str, Any]], deadline: float, *, urgent: bool
    ) -> dict[str, Any]:
        """The object after a JSON Patch. ``urgent``: also while the API server asks for a pause.

        Raises:
            Moved: the version that the patch names is not the object's.
            Lost: there is no such object.
            Refused: what it would become is not allowed.
            Unavailable: it may or may not have been done.
        """
        query = [("fieldManager", MANAGER)]
        return await self._ask(
            "PATCH", "patch", resource, deadline, query=query, body=list(changes), urgent=urgent
        )

    async def version(self, group: str, plural: str, versions: Sequence[str], deadline: float) -> str:
        """The first of some versions in which a kind is served.

        Raises:
            Unavailable: it is served in none of them, or that cannot be said.
        """
        known = self._served.get((group, plural))
        if known:
            return known
        for version in versions:
            try:
                found = await self._request("GET", f"/apis/{group}/{version}", deadline)
            except _Answered as answer:
                if answer.status == ABSENT:
                    continue
                raise self._trouble(answer, "get", Resource(group, version, plural, "")) from None
            if any(each.get("name") == plural for each in found.get("resources", [])):
                self._served[group, plural] = version
                return version
        wanted = " or ".join(versions)
        raise Unavailable(
            f"the API server does not serve {plural}.{group} ({wanted}): install its CRD, or name another "
            "kind of route in the policy"
        )

    async def plural(self, group: str, version: str, kind: str, deadline: float) -> str:
        """What the API server calls objects of a kind.

        Raises:
            Unavailable: it does not serve it, or that cannot be said.
        """
        if found := self._served.get((group, kind)):
            return found
        path = f"/apis/{quote(group)}/{quote(version)}"
        try:
            answer = await self._request("GET", path, deadline)
        except _Answered as said:
            if said.status != ABSENT:
                raise self._trouble(said, "get", Resource(group, version, kind, "")) from None
            answer = {}
        for each in answer.get("resources", []):
            if each.get("kind") == kind and each.get("namespaced") and "/" not in str(each.get("name")):
                self._served[group, kind] = str(each["name"])
                return self._served[group, kind]
        raise Unavailable(
            f"the API server does not serve {kind} of {group}/{version} in namespaces: install its CRD, or "
            "correct apiVersion and kind in the policy"
        )

    async def server_version(self, deadline: float) -> str:
        """The version of the API server.

        Raises:
            Unavailable: it does not answer.
        """
        try:
            return str((await self._request("GET", "/version", deadline)).get("gitVersion"))
        except _Answered as answer:
            raise self._trouble(answer, "get", Resource("", "", "version", "")) from None

    async def may(self, verb: str, resource: Resource, deadline: float) -> bool:
        """May our account do this?

        Raises:
            Unavailable: that cannot be said.
        """
        wanted = {
            "verb": verb,
            "group": resource.group,
            "resource": resource.plural,
            "namespace": resource.namespace,
            "name": resource.name,
        }
        path, review = "/apis/authorization.k8s.io/v1", "selfsubjectaccessreviews"
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": wanted},
        }
        try:
            answer = await self._request("POST", f"{path}/{review}", deadline, body=body)
        except _Answered as said:
            raise self._trouble(said, "create", Resource("authorization.k8s.io", "v1", review, "")) from None
        return bool(answer.get("status", {}).get("allowed"))

    async def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client:
            await client.close()

    async def _ask(
        self,
        method: str,
        verb: str,
        resource: Resource,
        deadline: float,
        *,
        query: Sequence[tuple[str, str]] = (),
        body: list[Mapping[str, Any]] | None = None,
        urgent: bool = False,
    ) -> dict[str, Any]:
        left = self._pause_until - self._clock.monotonic()
        if left > 0 and not urgent:
            raise Unavailable(f"the API server asked us to wait; {left:.1f} s are left")
        try:
            return await self._request(method, resource.path, deadline, query=query, body=body)
        except _Answered as answer:
            raise self._trouble(answer, verb, resource) from None

    async def _request(
        self,
        method: str,
        path: str,
        deadline: float,
        *,
        query: Sequence[tuple[str, str]] = (),
        body: object = None,
    ) -> dict[str, Any]:
        try:
            async with asyncio.timeout(deadline):
                try:
                    return await self._exchange(method, path, query, body)
                except _Answered as answer:
                    if answer.status != UNAUTHORISED:
                        raise
                    await self.close()
                    return await self._exchange(method, path, query, body)
        except TimeoutError:
            raise Unavailable(f"the API server did not answer within {deadline:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise Unavailable(f"the API server cannot be reached: {error}") from error

    async def _exchange(
        self, method: str, path: str, query: Sequence[tuple[str, str]], body: object
    ) -> dict[str, Any]:
        client = await self._connected()
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = f"application/{'json-patch+' if method == 'PATCH' else ''}json"
        asked = await client.param_serialize(
            method,
            path,
            query_params=list(query),
            header_params=headers,
            body=body,
            auth_settings=["BearerToken"],
        )
        response = await client.call_api(*asked, _request_timeout=aiohttp.ClientTimeout(total=None))
        raw = await response.read()
        if response.status // 100 != 2:  # noqa: PLR2004 - success
            raise _Answered(response.status, raw, response.headers.get("Retry-After", ""))
        try:
            answer = json.loads(raw)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise Unavailable("the API server's answer is not a JSON object: is it one?")
        return answer

    async def _connected(self) -> Any:
        async with self._connecting:
            if self._client is None:
                self._client = await self._connect()
            return self._client

    async def _connect(self) -> Any:
        from kubernetes.aio import client, config  # heavy, and most have no cluster

        configuration = client.Configuration()
        try:
            if self._settings.kubeconfig:
                await config.load_kube_config(
                    str(self._settings.kubeconfig),
                    self._settings.context or None,
                    configuration,
                    persist_config=False,
                )
            else:
                config.load_incluster_config(configuration)
        except (config.ConfigException, OSError) as error:
            where = self._settings.kubeconfig or "the pod's own account"
            raise Unavailable(f"{where} says of no cluster that could be used: {error}") from error
        configuration.connection_pool_maxsize = CONNECTIONS
        configuration.client_session_kwargs = {"trust_env": False}
        made = client.ApiClient(configuration)
        made.user_agent = MANAGER
        return made

    def _trouble(self, answer: _Answered, verb: str, resource: Resource) -> Exception:
        """What an answer means, and what to do."""
        status, said = answer.status, answer.message
        if status == CONFLICT:
            return Moved(f"{resource} was changed by somebody else")
        if status == FORBIDDEN and "denied" not in said:
            return Unavailable(
                f"the daemon's account may not {verb} {resource.kind} in {resource.namespace}: grant it the "
                f"verb `{verb}` on them ({said})"
            )
        if status in (FORBIDDEN, *WRONG):
            return Refused(f"the API server refuses it: {said}")
        if status == ABSENT and answer.is_of_an_object:
            return Lost(f"{resource} is not there: is its name right?")
        if status == ABSENT:
            self._served.pop((resource.group, resource.plural), None)
            return Unavailable(f"the API server does not serve {resource.kind} any more: install its CRD")
        if status == UNAUTHORISED:
            return Unavailable("the API server does not take our token: give the daemon another")
        if status == TOO_MANY:
            pause = min(LONGEST_PAUSE, float(answer.wait) if answer.wait.isdigit() else 1.0)
            self._pause_until = self._clock.monotonic() + pause
            return Unavailable(f"the API server asks us to wait {pause:g} s")
        return Unavailable(f"the API server answers {status}: {said}")


class _Answered(Exception):  # noqa: N818 - it says what the API server did
    """It said no."""

    def __init__(self, status: int, raw: bytes, wait: str) -> None:
        super().__init__(status)
        self.status = status
        self.wait = wait
        try:
            said = json.loads(raw)
        except ValueError:
            said = None
        said = said if isinstance(said, dict) else {}
        self.message = str(said.get("message") or raw[:200].decode(errors="replace").strip())
        details = said.get("details")
        self.is_of_an_object = isinstance(details, dict) and bool(details.get("name"))
