"""What the gateway is told by its environment, every name with the prefix SLUICE_."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from pydantic import Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app import flags, keys, prompts, words
from app.engines import ENGINES, Engine
from app.redaction import patterns
from app.room import PART
from app.store import async_url

FILES: dict[str, Callable[[Path], object]] = {  # what reads each, and raises ValueError in one line
    "keys_file": keys.loaded,
    "words_file": words.loaded,
    "prompts_file": prompts.loaded,
    "redact_file": patterns,
}


class Settings(BaseSettings):
    """Seconds unless a name says otherwise; an empty `rollout` means no cluster, and the static arms are used."""

    model_config = SettingsConfigDict(env_prefix="SLUICE_", extra="ignore")

    model_name: str = Field(default="llm", description="public alias, and the name under which the engine serves")
    version: str = Field(default="v0.0.0", description="what runs when no Rollout says it")
    namespace: str = Field(default="default", description="of the Rollout")
    rollout: str = Field(default="", description="name of the engine's Rollout")
    stable_urls: str = Field(default="", description="static arms: engines, separated by commas")
    canary_urls: str = Field(default="", description="static arms: the canary's engines")
    canary_weight: float = Field(default=0, ge=0, le=100, description="static arms: percent of the users")
    engine: str = Field(
        default="vllm", pattern="^(vllm|sglang|lmdeploy)$", description="what the engines are: vllm, sglang or lmdeploy"
    )
    engine_port: int = Field(default=8000, ge=1, le=65535, description="where engine pods take traffic")
    probe_key_file: Path | None = Field(default=None, description="whoever shows this key may choose the arm")
    salt: str = Field(default="sluice", description="of the hash that gives a user an arm")
    port: int = Field(default=8080, ge=0, le=65535, description="where the gateway listens")
    connect_seconds: float = Field(default=5, gt=0, description="for a connection to an engine")
    head_seconds: float = Field(default=10, gt=0, description="for a client to send its headers")
    body_seconds: float = Field(default=30, gt=0, description="for a client to send its body")
    send_seconds: float = Field(default=30, gt=0, description="for a client to read on, once it has stopped")
    first_token_seconds: float = Field(default=30, gt=0, description="for a stream to begin")
    idle_seconds: float = Field(default=30, gt=0, description="between two pieces of an answer")
    whole_seconds: float = Field(default=300, gt=0, description="for an answer that is not streamed")
    total_seconds: float = Field(default=600, gt=0, description="for a whole request")
    drain_seconds: float = Field(default=30, gt=0, description="for running answers after SIGTERM")
    forget_seconds: float = Field(default=60, ge=0, description="how long counters outlive their release")
    max_body_bytes: int = Field(default=1024 * 1024, gt=0, description="of a request")
    max_answer_bytes: int = Field(
        default=8 * 1024 * 1024, gt=0, description="of an answer in one piece, or of a frame of a stream; above it 400"
    )
    max_held_bytes: int = Field(
        default=128 * 1024 * 1024,
        gt=0,
        description="of requests under way and their answers in one piece, at once; above it 429",
    )
    max_inflight: int = Field(default=1024, gt=0, description="requests at once; above it 429")
    max_inflight_per_engine: int = Field(
        default=0,
        ge=0,
        description="requests at once per ready engine pod; a gateway pod takes twice its share at most; 0: any number",
    )
    keys_file: Path | None = Field(default=None, description="hashed API keys and their limits; empty: no key needed")
    limits_url: str = Field(default="", description="redis:// or valkey:// to count in across pods; empty: per pod")
    max_tokens: int = Field(
        default=8192,
        gt=0,
        description="of an answer, where a client names a number; the chart tells vLLM too, for who names none",
    )
    max_n: int = Field(default=8, gt=0, description="answers to one prompt")
    max_batch: int = Field(default=64, gt=0, description="prompts in one request")
    max_stop: int = Field(default=16, gt=0, description="stop texts")
    max_logprobs: int = Field(default=20, ge=0, description="log probabilities per token")
    max_prompt_chars: int = Field(default=400_000, gt=0, description="of all texts, or tokens when those are sent")
    media_hosts: str = Field(
        default="",
        description="hosts that engines may fetch media from, `data:` for media within the request; empty: only text",
    )
    allowed_fields: str = Field(default="", description="fields that a request may have; empty: all")
    words_file: Path | None = Field(default=None, description="sensitive words, one a line; empty: none are looked for")
    block_words: bool = Field(default=False, description="whether answers with such words are cut, or only counted")
    prompts_file: Path | None = Field(default=None, description="prompt templates that variants name")
    flags_file: Path | None = Field(default=None, description="flags and variants in flagd's format; empty: none")
    slow_least_seconds: float = Field(default=0.05, gt=0, description="least that slow is above stable's P99")
    slow_least_tpot_seconds: float = Field(default=0.05, gt=0, description="the same for the time per token")
    rescue: bool = Field(default=True, description="whether stable answers what the canary fails")
    rescue_share: float = Field(default=0.1, ge=0, le=1, description="rescues per request of stable, at most")
    max_per_user: int = Field(default=5, gt=0, description="judged requests per user, arm and step")
    database_url: str = Field(default="", description="sqlite:///FILE or postgresql://…; empty: no feedback")
    record_share: float = Field(default=0, ge=0, le=1, description="of users' prompts and answers, kept redacted")
    redact_file: Path | None = Field(default=None, description="regular expressions, one a line, to take out as well")
    otlp_endpoint: str = Field(default="", description="http://COLLECTOR:4318, gets traces; empty: none are made")
    trace_share: float = Field(default=1, ge=0, le=1, description="of the requests whose client has not decided it")
    log_level: str = Field(
        default="info", pattern="^(debug|info|warning|error)$", description="or debug, warning, error"
    )

    @field_validator("probe_key_file")
    @classmethod
    def has_a_key(cls, path: Path | None) -> Path | None:
        try:
            if path and not path.read_text().strip():
                raise ValueError(f"{path} is empty: write the probe's key into it")
        except OSError as error:
            raise ValueError(f"{path}: {error.strerror}") from None
        return path

    @field_validator(*FILES)
    @classmethod
    def can_be_read(cls, path: Path | None, info: ValidationInfo) -> Path | None:
        if path:
            FILES[str(info.field_name)](path)
        return path

    @field_validator("max_held_bytes")
    @classmethod
    def has_room_for_the_largest(cls, most: int, info: ValidationInfo) -> int:
        largest = info.data.get("max_body_bytes", 0) + info.data.get("max_answer_bytes", 0)
        if most < PART * largest:
            raise ValueError(f"the largest request and answer may take one in {PART}: set at least {PART * largest}")
        return most

    @field_validator("block_words")
    @classmethod
    def blocks_something(cls, block: bool, info: ValidationInfo) -> bool:
        if block and info.data.get("words_file", ".") is None:
            raise ValueError("there are no words to block: set SLUICE_WORDS_FILE")
        return block

    @field_validator("flags_file")
    @classmethod
    def has_flags(cls, path: Path | None, info: ValidationInfo) -> Path | None:
        if path and "prompts_file" in info.data:  # else it is told already
            flags.loaded(path, info.data["prompts_file"])
        return path

    @field_validator("limits_url")
    @classmethod
    def is_a_store(cls, url: str) -> str:
        if url and not url.startswith(("redis://", "rediss://", "valkey://", "valkeys://")):
            raise ValueError("write redis://HOST:PORT or valkey://HOST:PORT")
        return url

    @field_validator("stable_urls", "canary_urls", "otlp_endpoint")
    @classmethod
    def are_urls(cls, text: str) -> str:
        if wrong := [url for url in names(text) if not url.startswith(("http://", "https://"))]:
            raise ValueError(f"{wrong[0]} is no URL: write http://HOST:PORT")
        return text

    @field_validator("database_url")
    @classmethod
    def known_database(cls, url: str) -> str:
        if url:
            async_url(url)
        return url

    @field_validator("record_share")
    @classmethod
    def has_a_database(cls, share: float, info: ValidationInfo) -> float:
        if share and info.data.get("database_url") == "":
            raise ValueError("samples are kept in the feedback database: set SLUICE_DATABASE_URL")
        return share

    @cached_property
    def probe_key(self) -> str:
        return self.probe_key_file.read_text().strip() if self.probe_key_file else ""

    @cached_property
    def adapter(self) -> Engine:
        return ENGINES[self.engine]

    @cached_property
    def media(self) -> frozenset[str]:
        return names(self.media_hosts)

    @cached_property
    def allowed(self) -> frozenset[str]:
        return names(self.allowed_fields)

    @property
    def rollout_label(self) -> str:
        return f"{self.namespace}/{self.rollout or 'static'}"


def names(text: str) -> frozenset[str]:
    return frozenset(part.strip() for part in text.split(",") if part.strip())
