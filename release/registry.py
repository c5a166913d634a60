"""A registry, asked whether it holds an image of a given digest."""

import base64
import json
import os
import re
from pathlib import Path

import httpx2

from release.errors import Refused

# Both index and single manifests: a registry answers 404 for a kind that was not asked for.
MANIFESTS = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
LOCAL = re.compile(r"^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$")


def address_of(image: str) -> tuple[str, str, str]:
    """Host, repository and digest of `[host/]repository@sha256:…`, with Docker's short names spelled out."""
    name, digest = image.split("@", 1)
    host, _, rest = name.partition("/")
    if not rest or not ("." in host or ":" in host or host == "localhost"):
        host, rest = "docker.io", name
    if host == "docker.io":
        return "registry-1.docker.io", rest if "/" in rest else f"library/{rest}", digest
    return host, rest, digest


def scheme_of(host: str) -> str:
    return "http" if LOCAL.match(host) else "https"


def require(image: str, client: httpx2.Client) -> None:
    """Raise Refused unless the registry answers that it has this very digest."""
    host, repository, digest = address_of(image)
    url = f"{scheme_of(host)}://{host}/v2/{repository}/manifests/{digest}"
    try:
        reply = client.head(url, headers={"Accept": MANIFESTS})
        if reply.status_code == 401:
            reply = client.head(url, headers={"Accept": MANIFESTS} | authorization(reply, host, client))
    except httpx2.HTTPError as error:
        raise Refused(
            f"{image}: registry {host} does not answer ({error or type(error).__name__}); start it"
        ) from error
    if reply.status_code == 404:
        raise Refused(f"{image}: not in the registry; push it (`sluice image`) or correct the digest in release.yaml")
    if reply.status_code >= 400:
        raise Refused(f"{image}: registry {host} answers {reply.status_code}; log in with `docker login {host}`")


def tag(image: str, name: str, client: httpx2.Client) -> None:
    """Give a digest that is in the registry a name, and change nothing when it has it already.

    Raises:
        Refused: the registry does not take it.
    """
    host, repository, digest = address_of(image)
    base = f"{scheme_of(host)}://{host}/v2/{repository}/manifests"
    login: dict[str, str] = {}
    try:
        found = client.get(f"{base}/{digest}", headers={"Accept": MANIFESTS})
        if found.status_code == 401:
            login = authorization(found, host, client, "pull,push")
            found = client.get(f"{base}/{digest}", headers={"Accept": MANIFESTS} | login)
        kind = {"Content-Type": found.headers.get("content-type", "")}
        reply = client.put(f"{base}/{name}", content=found.content, headers=kind | login) if found.is_success else found
    except httpx2.HTTPError as error:
        raise Refused(f"{image}: registry {host} does not answer ({type(error).__name__}); run this again") from error
    if not reply.is_success:
        raise Refused(f"{image}: registry {host} answers {reply.status_code} to the tag {name}; may it be written?")


def authorization(reply: httpx2.Response, host: str, client: httpx2.Client, may: str = "pull") -> dict[str, str]:
    """What the registry's challenge asks for: a token, or the name and password that `docker login` kept."""
    kept = login_of(host)
    basic = {"Authorization": f"Basic {kept}"} if kept else {}
    challenge = dict(re.findall(r'(\w+)="([^"]*)"', reply.headers.get("www-authenticate", "")))
    if "realm" not in challenge or not reply.headers["www-authenticate"].lower().startswith("bearer"):
        return basic
    params = {key: challenge[key] for key in ("service", "scope") if key in challenge}
    if "scope" in params and may != "pull":
        params["scope"] = f"{params['scope'].rsplit(':', 1)[0]}:{may}"
    answer = client.get(challenge["realm"], params=params, headers=basic)
    if answer.status_code >= 400:
        return basic
    body = answer.json()
    return {"Authorization": f"Bearer {body.get('token') or body.get('access_token')}"}


def login_of(host: str) -> str | None:
    """The base64 `name:password` that `docker login` wrote for this host, if any."""
    path = Path(os.environ.get("DOCKER_CONFIG", str(Path.home() / ".docker"))) / "config.json"
    try:
        auth = json.loads(path.read_text())["auths"][host]["auth"]
        base64.b64decode(auth, validate=True)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return str(auth)
