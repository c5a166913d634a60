"""Traces over OTLP: a span for a request and one for each attempt on an engine; none for a frame.

Without an address to send them to nothing is made, and the client's own traceparent is passed on as it came.
"""

import asyncio
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from opentelemetry.context import Context
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    Tracer,
    set_span_in_context,
)

from app import genai, outcome
from app.genai import Attributes
from app.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

# nothing else of W3C's headers is taken: tracestate and baggage may hold any text
PARENT = re.compile("00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")
EXPORT_SECONDS = 5  # for one batch
EVERY_SECONDS = 1


class Try:
    """On one engine; `header` is the traceparent that the engine gets, and may be empty."""

    def __init__(self, header: str, span: Span | None = None) -> None:
        self.header, self.span = header, span

    def asks(self, engine: str) -> None:
        if self.span and (found := urlsplit(engine)).hostname:
            self.span.set_attribute("server.address", found.hostname)
            self.span.set_attribute("server.port", found.port or 80)

    def end(self, ending: str, tokens: dict[str, int], first: float | None) -> None:
        """How it ended; the seconds until the first content are this engine's own."""
        if self.span:
            self.span.set_attributes({**genai.answered(tokens, first), "sluice.outcome": ending})
            judge(self.span, ending)
            self.span.end()


NO_TRY = Try("")


class Trace:
    """Of one request; `id` is empty where nobody traces it."""

    def __init__(self, header: str, tracer: Tracer | None = None) -> None:
        self.header, self.tracer = header if PARENT.fullmatch(header) else "", tracer
        self.span: Span | None = None
        self.name, self.asked = "", Attributes()  # of every attempt
        if tracer:
            self.span = tracer.start_span("request", parent(self.header), SpanKind.SERVER)
            self.header = traceparent(self.span)

    @property
    def id(self) -> str:
        return self.header[3:35]

    def models(self, path: str, document: dict[str, Any], model: str, engine: str) -> None:
        """What the attempts will ask of a model."""
        self.name, self.asked = genai.named(path, model), genai.asked(path, document, model, engine)

    def attempt(self, arm: str, number: int) -> Try:
        """Begun now; `Try.end` ends it."""
        if not self.tracer or not self.span:
            return Try(self.header) if self.header else NO_TRY
        within = set_span_in_context(self.span)
        about = {**self.asked, "sluice.arm": arm, "sluice.attempt": number}
        span = self.tracer.start_span(self.name, within, SpanKind.CLIENT, about)
        return Try(traceparent(span), span)

    def end(self, name: str, attributes: Attributes) -> None:
        if self.span:
            self.span.update_name(name)
            self.span.set_attributes(attributes)
            judge(self.span, str(attributes.get("sluice.outcome", "")))
            self.span.end()


NO_TRACE = Trace("")


class Traces:
    def __init__(self, settings: Settings) -> None:
        self.provider = provider(settings) if settings.otlp_endpoint else None
        self.tracer = self.provider.get_tracer("sluice") if self.provider else None

    def begin(self, header: str) -> Trace:
        return Trace(header, self.tracer) if self.tracer or header else NO_TRACE

    async def aclose(self) -> None:
        """Send what waits; a collector that is away does not hold the gateway up for long."""
        if self.provider:
            await asyncio.to_thread(self.provider.shutdown)


def provider(settings: Settings) -> "TracerProvider":
    # half a second of start and 15 MB that a gateway without traces does not pay for
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

    about = {"service.name": "sluice-gateway", "service.namespace": settings.namespace}
    made = TracerProvider(ParentBased(TraceIdRatioBased(settings.trace_share)), Resource.create(about))
    exporter = OTLPSpanExporter(settings.otlp_endpoint.rstrip("/") + "/v1/traces", timeout=EXPORT_SECONDS)
    made.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=EVERY_SECONDS * 1000))
    return made


def parent(header: str) -> Context | None:
    """The client's span, as the context in which ours is made; None where it has none."""
    if not (found := PARENT.fullmatch(header)):
        return None
    trace, span, flags = (int(part, 16) for part in found.groups())
    return set_span_in_context(NonRecordingSpan(SpanContext(trace, span, True, TraceFlags(flags & 1))))


def traceparent(span: Span) -> str:
    context = span.get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def judge(span: Span, ending: str) -> None:
    """The status of a span that ended so; a client that goes away is no error of ours."""
    if ending in outcome.BAD:
        span.set_attribute("error.type", ending)
        span.set_status(StatusCode.ERROR)
