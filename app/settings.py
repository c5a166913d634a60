"""What the gateway is told by its environment, every name with the prefix SLUICE_."""

from functools import cached_property
from pathlib import Path

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.store import async_url


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
    engine_port: int = Field(default=8000, ge=1, le=65535, description="where engine pods take traffic")
    probe_key_file: Path | None = Field(default=None, description="whoever shows this key may choose the arm")
    salt: str = Field(default="sluice", description="of the hash that gives a user an arm")
    port: int = Field(default=8080, ge=0, le=65535)
    connect_seconds: float = Field(default=5, gt=0)
    first_token_seconds: float = Field(default=30, gt=0)
    idle_seconds: float = Field(default=30, gt=0, description="between two pieces of an answer")
    total_seconds: float = Field(default=600, gt=0)
    drain_seconds: float = Field(default=30, gt=0, description="for running answers after SIGTERM")
    forget_seconds: float = Field(default=60, ge=0, description="how long counters outlive their release")
    max_body_bytes: int = Field(default=1024 * 1024, gt=0)
    max_inflight: int = Field(default=1024, gt=0, description="requests at once; above it 429")
    slow_least_seconds: float = Field(default=0.05, gt=0, description="least that slow is above stable's P99")
    max_per_user: int = Field(default=5, gt=0, description="judged requests per user, arm and step")
    database_url: str = Field(default="", description="sqlite:///FILE or postgresql://…; empty: no feedback")
    log_level: str = Field(default="info", pattern="^(debug|info|warning|error)$")

    @field_validator("database_url")
    @classmethod
    def known_database(cls, url: str) -> str:
        if url:
            async_url(url)
        return url

    @cached_property
    def probe_key(self) -> str:
        return self.probe_key_file.read_text().strip() if self.probe_key_file else ""

    @property
    def rollout_label(self) -> str:
        return f"{self.namespace}/{self.rollout or 'static'}"
