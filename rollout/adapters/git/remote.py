"""Where a source's repository is, and everything git may know and do on the way there.

The operator's settings are checked once, at the start. Each git then gets an environment made from nothing:
no configuration of the system or the user, no hooks, helpers, prompts, proxies of ours or tokens of others,
and one protocol: the one the URL names. What git says is scrubbed before anybody sees it.
"""

from __future__ import annotations

import base64
import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, quote, urlsplit

from rollout.ports import Refused, Unavailable
from rollout.settings import Secret, SourceSettings, Unread

_KEPT = frozenset({
    "PATH", "LD_LIBRARY_PATH", "TMPDIR", "GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "SSL_CERT_FILE", "SSL_CERT_DIR",
    "http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY",
})  # fmt: skip
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")
_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*|[0-9a-fA-F:.]+")
_SCP = re.compile(r"(?:(?P<user>[^@/:]+)@)?(?P<host>[^@/:]+):(?P<path>[^:\s-]\S*)")
_BRANCH = re.compile(
    r"(?!.*(?:\.\.|//|@\{|\.lock(?:/|$)|/\.|[/.]$))[^\W][\w.+@#=/-]*",
)
_FORMS = "write https://host/path, ssh://user@host/path, user@host:path, file:///path or /path"

_NOISE = ("Please make sure", "and the repository exists", "warning:", "hint:")
_WHO = "the server wants a token, or did not take the one it got: name one, or has it expired?"
_WHERE = "check the url; a private repository looks missing without a valid token"
_REDIRECT = "the server redirects, which is not followed: write the address it redirects to"
_NOBODY = "nothing answers there: is the server up, is the port right, is a proxy needed?"
_INSECURE = "no secure connection came about: is this an https port, is its certificate in order?"
_LARGE = "the repository is larger than is taken here: keep policies in one of their own"
# The first sign found in what git said wins.
_ADVICE = {
    "could not read Username": _WHO,
    "Authentication failed": _WHO,
    "returned error: 401": _WHO,
    "returned error: 403": "the token is known, but may not read this repository",
    "returned error: 404": _WHERE,
    "repository not found": _WHERE,
    "returned error: 30": _REDIRECT,
    "redirect": _REDIRECT,
    "returned error: 5": "the server has trouble of its own; it is asked again",
    "out of memory": _LARGE,
    "File too large": _LARGE,
    "ssh: not found": "there is no ssh here: install it (apt-get install openssh-client)",
    "cannot run ssh": "there is no ssh here: install it (apt-get install openssh-client)",
    "not accessible": "the key cannot be read: is the file of ssh_key there, does it belong to this user?",
    "Host key verification failed": "put the server's host key into known_hosts (and compare it first)",
    "Permission denied": "the key was not taken: is it the right one, does the repository know it?",
    "UNPROTECTED PRIVATE KEY": "the key may be read by others: chmod 600",
    "Could not resolve host": "check the host's name in the url, and the name service",
    "Connection refused": _NOBODY,
    "Failed to connect": _NOBODY,
    "Couldn't connect": _NOBODY,
    "certificate": "the server's certificate is not trusted: mend it, or set GIT_SSL_CAINFO",
    "SSL": _INSECURE,
    "TLS": _INSECURE,
    "shallow": "the repository is a shallow clone: name the full one, or git fetch --unshallow in it",
    "fsck": "git finds an object malformed and refuses it: run git fsck in the repository",
    "mismatched algorithms": "SHA-256 repositories cannot be read: name a SHA-1 repository",
    "does not appear to be a git repository": "check the url or path: there is no repository",
    "not found": _WHERE,
}


@dataclass(frozen=True, slots=True)
class Remote:
    """A repository that may be asked: checked settings. ``url`` is as git gets it."""

    settings: SourceSettings
    url: str
    protocol: str
    user: str = ""
    host: str = ""

    @classmethod
    def of(cls, settings: SourceSettings) -> Remote:
        """Check the settings of a source.

        Raises:
            Refused: URL, branch, path or the kind of key cannot be used; what to write instead.
        """
        url, where = settings.url, f"source {settings.name}"
        if not re.fullmatch(r"[\w.-]+", settings.name) or settings.name.startswith("."):
            raise Refused(f"{where}: a source's name is made of letters, digits, '-', '_' and '.'")
        if not _BRANCH.fullmatch(settings.branch):
            raise Refused(f"{where}: {settings.branch!r} cannot be a branch: write its name, such as main")
        folder = _folder(settings)
        if folder and {"", ".", "..", ".git"} & set(folder.split("/")):
            raise Refused(
                f"{where}: {settings.path!r} is no folder inside a repository: write it like prod/policies"
            )
        if not url or url.startswith("-") or not url.isprintable() or "::" in url.split("/")[0]:
            raise Refused(f"{where}: this url names no repository: {_FORMS}")
        found = _parsed(settings, where)
        _check_keys(found, where)
        return found

    @property
    def folder(self) -> str:
        """The source's path as git writes it: without slashes at its ends."""
        return _folder(self.settings)

    @property
    def shown(self) -> str:
        """The repository as people may see it."""
        return f"source {self.settings.name} ({self.url})"

    def secret(self) -> Secret | None:
        """The token, read anew.

        Raises:
            Unavailable: it is named, but not to be had.
        """
        try:
            return self.settings.token.read() if self.settings.token else None
        except Unread as problem:
            raise Unavailable(f"source {self.settings.name}: {problem}") from None

    def environment(self, home: Path, secret: Secret | None) -> Mapping[str, str]:
        """Everything git will know of the world."""
        kept = {name: value for name, value in os.environ.items() if name in _KEPT}
        options = {**_OPTIONS, "http.lowSpeedTime": str(max(1, int(self.settings.timeout)))}
        if self.host in _LOOPBACK:
            options[f"http.{self.url}.proxy"] = ""
        if secret:
            options[f"http.{self.url}.extraHeader"] = f"Authorization: Basic {self._basic(secret)}"
        if self.protocol == "ssh":
            kept |= self._ssh()
        return {
            **kept,
            **_FIXED,
            "HOME": str(home),
            "GIT_CONFIG_GLOBAL": str(home / "gitconfig"),
            "GIT_ALLOW_PROTOCOL": self.protocol,
            "GIT_CONFIG_COUNT": str(len(options)),
            **{f"GIT_CONFIG_KEY_{index}": key for index, key in enumerate(options)},
            **{f"GIT_CONFIG_VALUE_{index}": value for index, value in enumerate(options.values())},
        }

    def _basic(self, secret: Secret) -> str:
        return base64.b64encode(f"{self.user or 'x-access-token'}:{secret.reveal()}".encode()).decode()

    def _ssh(self) -> dict[str, str]:
        """The way to ssh: no prompts, no configuration, no unknown host, and only the key that was named."""
        options = [
            "BatchMode=yes",
            "StrictHostKeyChecking=yes",
            "UpdateHostKeys=no",
            "ClearAllForwardings=yes",
        ]
        options += [f"ConnectTimeout={max(1, int(self.settings.timeout))}", "ServerAliveInterval=10"]
        if self.settings.known_hosts:
            options += [f"UserKnownHostsFile={self.settings.known_hosts}", "GlobalKnownHostsFile=/dev/null"]
        words = ["ssh", "-F", "none", "-T"]
        if key := self.settings.ssh_key:
            words += ["-i", str(key.file)]
            options += ["IdentitiesOnly=yes", "IdentityAgent=none"]
        words += [word for option in options for word in ("-o", option)]
        agent = {} if key else {name: os.environ[name] for name in ("SSH_AUTH_SOCK",) if name in os.environ}
        return {**agent, "GIT_SSH_COMMAND": shlex.join(words), "GIT_SSH_VARIANT": "ssh"}

    def explain(self, said: str, secret: Secret | None) -> str:
        """Git's words in a sentence for people, without the secret, and what to do about it."""
        text = self._scrubbed(said, secret)
        lines = [line.strip() for line in text.splitlines() if not line.startswith(_NOISE)] or ["git failed"]
        lines.sort(key=lambda line: not line.startswith(("fatal:", "error:")))
        advice = next((advice for sign, advice in _ADVICE.items() if sign.lower() in text.lower()), "")
        cause = readable("; ".join(line for line in lines[:3] if line), 300)
        return f"{self.shown}: {cause}" + (f" - {advice}" if advice else "")

    def _scrubbed(self, text: str, secret: Secret | None) -> str:
        if not secret:
            return text
        raw = secret.reveal()
        alone = base64.b64encode(raw.encode()).decode().rstrip("=")
        for form in sorted({self._basic(secret), raw, quote(raw), quote(raw, safe=""), alone}, key=len)[::-1]:
            text = text.replace(form, "***")
        return text


def readable(text: str, most: int = 200) -> str:
    """Text from outside, fit for a terminal: nothing that cannot be printed, and not too long."""
    shown = "".join(letter if letter.isprintable() else "?" for letter in text)
    return shown if len(shown) <= most else shown[: most - 1] + "\N{HORIZONTAL ELLIPSIS}"


def _folder(settings: SourceSettings) -> str:
    return settings.path.strip("/")


def _parsed(settings: SourceSettings, where: str) -> Remote:
    url, refused = settings.url, Refused(f"{where}: this url names no repository: {_FORMS}")
    if url.startswith("/"):
        return Remote(settings, url, "file")
    if " " in url:
        raise refused
    if "://" not in url:
        scp = _SCP.fullmatch(url)
        if not scp or not _HOST.fullmatch(scp["host"]) or not _USER.fullmatch(scp["user"] or "git"):
            raise refused
        return Remote(settings, url, "ssh", scp["user"] or "", scp["host"])
    try:
        parts = urlsplit(url)
        user, port = parts.username or "", parts.port
    except ValueError:
        raise refused from None
    if parts.password is not None:
        raise Refused(
            f"{where}: the url holds a password: take it out, and name it by token = {{env = ...}} or file"
        )
    if parts.query or parts.fragment or not _USER.fullmatch(user or "git"):
        raise refused
    return _by_scheme(settings, where, parts, user, port)


def _by_scheme(
    settings: SourceSettings, where: str, parts: SplitResult, user: str, port: int | None
) -> Remote:
    host = parts.hostname or ""
    if parts.scheme == "file" and host in {"", "localhost"} and parts.path.startswith("/"):
        return Remote(settings, f"file://{parts.path}", "file")
    if parts.scheme not in {"https", "http", "ssh"}:
        raise Refused(f"{where}: {parts.scheme}:// leads to no repository here: {_FORMS}")
    if not _HOST.fullmatch(host):
        raise Refused(f"{where}: this url names no host: {_FORMS}")
    if parts.scheme == "ssh":
        return Remote(settings, settings.url, "ssh", user, host)
    if parts.scheme == "http" and host not in _LOOPBACK:
        raise Refused(f"{where}: http can be read and changed on the way: write https://{host}{parts.path}")
    net = (f"[{host}]" if ":" in host else host) + (f":{port}" if port else "")
    return Remote(settings, f"{parts.scheme}://{net}{parts.path}", parts.scheme, user, host)


def _check_keys(remote: Remote, where: str) -> None:
    settings = remote.settings
    if settings.token and remote.protocol not in {"https", "http"}:
        raise Refused(f"{where}: a token is for https; this url goes by {remote.protocol}")
    if settings.ssh_key and remote.protocol != "ssh":
        raise Refused(f"{where}: ssh_key is for ssh; this url goes by {remote.protocol}")
    if settings.ssh_key and not settings.ssh_key.file:
        raise Refused(
            f"{where}: ssh reads its key from a file only, and secrets are never written to disk here: "
            "write ssh_key = {file = ...}"
        )


_FIXED = {
    "LC_ALL": "C",
    "LANGUAGE": "C",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",
    "GIT_PROTOCOL_FROM_USER": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_GRAFT_FILE": "/dev/null",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
}
# Of the highest rank: neither the mirror's own configuration nor a remote's words outrank these.
_OPTIONS = {
    "protocol.allow": "never",
    "transfer.fsckObjects": "true",
    "transfer.bundleURI": "false",
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.attributesFile": "/dev/null",
    "core.bigFileThreshold": "16m",
    "core.fsync": "none",  # the mirror is a cache: after a power cut it is made again
    "credential.helper": "",
    "http.followRedirects": "false",
    "http.lowSpeedLimit": "1",
    "submodule.recurse": "false",
    "fetch.recurseSubmodules": "false",
    "gc.autoDetach": "false",
    "pack.threads": "1",  # nobody waits for it, and neighbours want the processor
    "log.showSignature": "false",
}
