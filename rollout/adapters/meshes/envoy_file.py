"""An RDS file: a DiscoveryResponse as text. What it says, and its text with other weights in it.

Only the weights of the managed entries and ``version_info`` (our fence) are touched; a plain ``cluster``
becomes ``weighted_clusters``. Every new text is read back and compared before anybody may use it.
"""

from __future__ import annotations

import hashlib
import json

from rollout.adapters.meshes.envoy_edits import apply, rest, set_field, set_split
from rollout.adapters.meshes.envoy_routes import Entry, managed, splits
from rollout.adapters.meshes.envoy_text import Malformed, Mapping, Node, Sequence, parse, plain
from rollout.adapters.meshes.fence import Fence
from rollout.adapters.meshes.unclear import Absent, Unclear
from rollout.core.model import Route, Split

_BOM = "\ufeff"


class RouteFile:
    """One text, and what it says about one route. ``digest`` names its bytes.

    Raises:
        Malformed: it is not UTF-8, or neither YAML nor JSON.
        Absent: it has no such route configuration, or no such route in it.
        Unclear: its routes cannot be read as splits.
    """

    def __init__(self, raw: bytes, route: Route) -> None:
        self.digest = digest(raw)
        self._route = route
        try:
            text = raw.decode()
        except UnicodeDecodeError as error:
            raise Malformed(f"byte {error.start + 1}: not UTF-8") from None
        self._bom, self._text = text.startswith(_BOM), text.removeprefix(_BOM)
        root = parse(self._text)
        if not isinstance(root, Mapping):
            raise Malformed(f"{root.where}: not a DiscoveryResponse (a mapping with `resources`)")
        self._root = root
        self._configuration = _find(root, route.name)
        self._entries = managed(plain(self._configuration), route)
        self.splits = splits(self._entries)
        self.version_info = str(plain(root.get("version_info")) or "")
        self.fence = Fence.read(self.version_info)

    def with_split(self, split: Split, epoch: int) -> bytes:
        """The file's bytes with another split, bearing ``epoch``.

        Raises:
            Unclear: its form does not let the weights be set.
        """
        known = {name for entry in self._entries for name in entry.weights}
        ours = {name for name, _ in split.shares if name not in known}
        ours |= set(self.fence.added if self.fence else ()) & known
        fence = Fence(
            epoch,
            count=self.fence.count + 1 if self.fence else 1,
            added=tuple(sorted(name for name in ours if split.weight(name))),
        )
        edits = [
            edit for entry in self._entries for edit in set_split(self._action(entry), entry, split, ours)
        ]
        edits.append(set_field(self._root, "version_info", json.dumps(str(fence))))
        raw = (_BOM * self._bom + apply(self._text, edits)).encode()
        self._compare(raw, split, fence)
        return raw

    def _compare(self, raw: bytes, split: Split, fence: Fence) -> None:
        try:
            after = RouteFile(raw, self._route)
        except (Malformed, Unclear) as error:
            raise Unclear(f"has a form in which weights cannot be set safely ({error})") from None
        if after.splits != (split,) or after.fence != fence or after.rest() != self.rest():
            raise Unclear("has a form in which weights cannot be set without touching more")

    def rest(self) -> object:
        """All that is not ours to change, for comparison."""
        return rest(self._root, [self._action(entry) for entry in self._entries])

    def _action(self, entry: Entry) -> Mapping:
        node: Node | None = self._configuration
        for key, index in (("virtual_hosts", entry.host), ("routes", entry.index)):
            node = node.get(key) if isinstance(node, Mapping) else None
            node = node.items[index] if isinstance(node, Sequence) else None
        node = node.get("route") if isinstance(node, Mapping) else None
        if not isinstance(node, Mapping):
            raise Unclear(f"{entry.place}: no mapping under `route`")
        return node


def digest(raw: bytes) -> str:
    """What a write is conditional on: SHA-256 of a file's bytes."""
    return hashlib.sha256(raw).hexdigest()


def _find(root: Mapping, name: str) -> Mapping:
    resources = root.get("resources")
    found = [
        item
        for item in (resources.items if isinstance(resources, Sequence) else [])
        if isinstance(item, Mapping)
        and plain(item.get("name")) == name
        and str(plain(item.get("@type"))).endswith(".RouteConfiguration")
    ]
    if not found:
        raise Absent(f"has no RouteConfiguration named {name} among its resources")
    if len(found) > 1:
        raise Malformed(f"{found[1].where}: a second RouteConfiguration named {name}")
    return found[0]
