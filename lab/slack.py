"""A Slack-compatible endpoint that keeps every message it is sent in a JSON Lines file, and shows them."""

import argparse
import html
import json
import time
from pathlib import Path
from typing import Any

from aiohttp import web

MAX_BODY = 256 * 1024
MAX_MESSAGES = 10_000
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="color-scheme" content="light dark">
<meta http-equiv="refresh" content="5"><title>Messages</title>
<style>body{{font:15px/1.5 system-ui;max-width:50rem;margin:2rem auto;padding:0 1rem}}
article{{border-left:4px solid #888;padding:.2rem 1rem;margin:1rem 0;white-space:pre-wrap}}small{{opacity:.7}}</style>
<h1>Messages</h1>{rows}</html>"""
ROW = "<article><small>{when} {channel}</small>\n{text}</article>"


class Store:
    """Messages in the order they came, also after a restart."""

    def __init__(self, file: Path) -> None:
        self.file = file
        file.parent.mkdir(parents=True, exist_ok=True)
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
        self.messages: list[dict[str, Any]] = [json.loads(line) for line in lines if line.strip()]

    def add(self, message: dict[str, Any]) -> dict[str, Any]:
        if len(self.messages) >= MAX_MESSAGES:
            raise web.HTTPTooManyRequests(text="the store is full: remove its file")
        now = max(time.time(), self.last + 1e-6)  # a message is named by its time, as in Slack
        kept = {"time": round(now, 6), "ts": f"{now:.6f}", **message}
        with self.file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(kept, ensure_ascii=False) + "\n")
        self.messages.append(kept)
        return kept

    @property
    def last(self) -> float:
        return float(self.messages[-1]["time"]) if self.messages else 0.0


STORE = web.AppKey("store", Store)


async def fields_of(request: web.Request) -> dict[str, Any]:
    """The body's fields, whether it came as JSON or as a form; attachments and blocks are JSON inside a form."""
    if request.content_type == "application/json":
        given = await request.json()
        if not isinstance(given, dict):
            raise ValueError("not an object")
        return given
    form = {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
    if set(form) == {"payload"}:
        return dict(json.loads(form["payload"]))
    return form | {name: json.loads(form[name]) for name in ("attachments", "blocks") if form.get(name)}


def text_of(fields: dict[str, Any]) -> str:
    """What a reader sees: the text, then each attachment's title, text and fields."""
    lines = [str(fields.get("text") or "")]
    for attachment in fields.get("attachments") or []:
        lines += [str(attachment.get(name) or "") for name in ("pretext", "title", "text")]
        lines += [f"{field.get('title', '')}: {field.get('value', '')}" for field in attachment.get("fields") or []]
    for block in fields.get("blocks") or []:
        lines.append(str((block.get("text") or {}).get("text") or ""))
    return "\n".join(line for line in lines if line)


def message_of(fields: dict[str, Any], via: str) -> dict[str, Any]:
    kept = {"via": via, "channel": str(fields.get("channel") or ""), "text": text_of(fields)}
    return kept | {
        name: fields[name] for name in ("username", "attachments", "blocks", "thread_ts") if fields.get(name)
    }


async def webhook(request: web.Request) -> web.Response:
    try:
        message = message_of(await fields_of(request), "webhook")
    except (ValueError, AttributeError):
        return web.Response(status=400, text="invalid_payload")
    if not message["text"]:
        return web.Response(status=400, text="no_text")
    request.app[STORE].add(message)
    return web.Response(text="ok")


async def post_message(request: web.Request) -> web.Response:
    try:
        fields = await fields_of(request)
        message = message_of(fields, request.match_info["method"])
    except (ValueError, AttributeError):
        return web.json_response({"ok": False, "error": "invalid_form_data"})
    if not message["channel"]:
        return web.json_response({"ok": False, "error": "channel_not_found"})
    if not message["text"]:
        return web.json_response({"ok": False, "error": "no_text"})
    if request.match_info["method"] == "chat.update":
        message["updates"] = str(fields.get("ts") or "")
    kept = request.app[STORE].add(message)
    ts = message.get("updates") or kept["ts"]
    sent = {"text": kept["text"], "type": "message", "ts": ts}
    return web.json_response({"ok": True, "channel": kept["channel"], "ts": ts, "text": kept["text"], "message": sent})


async def look_up(request: web.Request) -> web.Response:
    """What a client may ask before it posts; every name it asks for exists."""
    method = request.match_info["method"]
    known: dict[str, dict[str, Any]] = {
        "auth.test": {
            "url": str(request.url.origin()),
            "team": "lab",
            "user": "sluice",
            "team_id": "T0",
            "user_id": "U0",
        },
        "users.lookupByEmail": {"user": {"id": "U0", "name": "sluice"}},
        "conversations.list": {"channels": [], "response_metadata": {"next_cursor": ""}},
        "conversations.join": {"channel": {"id": "C0"}},
        "usergroups.list": {"usergroups": []},
    }
    if method not in known:
        return web.json_response({"ok": False, "error": "unknown_method"})
    return web.json_response({"ok": True, **known[method]})


async def messages(request: web.Request) -> web.Response:
    return web.json_response(request.app[STORE].messages)


async def page(request: web.Request) -> web.Response:
    rows = [
        ROW.format(
            when=time.strftime("%H:%M:%S", time.gmtime(message["time"])),
            channel=html.escape(message["channel"]),
            text=html.escape(message["text"]),
        )
        for message in reversed(request.app[STORE].messages)
    ]
    return web.Response(text=PAGE.format(rows="".join(rows) or "<p>None yet.</p>"), content_type="text/html")


def create_app(file: Path) -> web.Application:
    app = web.Application(client_max_size=MAX_BODY)
    app[STORE] = Store(file)
    app.router.add_post("/services/{path:.+}", webhook)
    app.router.add_post("/api/{method:chat\\.postMessage|chat\\.update}", post_message)
    app.router.add_route("*", "/api/{method}", look_up)
    app.router.add_get("/messages", messages)
    app.router.add_get("/", page)
    return app


def main() -> None:
    parser = argparse.ArgumentParser(prog="python3 -m lab.slack", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--store", type=Path, required=True, help="JSON Lines file that keeps the messages")
    asked = parser.parse_args()
    web.run_app(create_app(asked.store), host=asked.host, port=asked.port, access_log=None)


if __name__ == "__main__":
    main()
