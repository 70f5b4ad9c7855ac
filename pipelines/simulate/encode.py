"""Rows of spans and events, in order of arrival, to the bytes of ``ExportTraceServiceRequest`` messages."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.contracts.otlp import trace_handler

from .attributes import AttributeTable, list_of
from .dialects import span_attributes
from .fleet import TEMPLATES, Workflow
from .table import APPROVAL, CHAT, DECISION, EVALUATION, OVERRIDE, RETRIEVE, ROLLBACK, RUN, Rows
from .texts import Texts, fixed_binary
from .wording import RELEASES, Wording

_SCOPES = {
    "otel": ("opentelemetry.instrumentation.genai", "1.4.0"),
    "openinference": ("openinference.instrumentation.agents", "0.1.66"),
    "otel-old": ("opentelemetry.instrumentation.openai", "0.33.12"),
}
_INTERNAL, _CLIENT = 1, 3
_OK, _ERROR = 0, 2


class Encoder:
    """Turns sorted rows into messages; holds the vocabulary of one fleet."""

    def __init__(self, members: Sequence[Workflow], drift_policies: Sequence[str], content_bytes: int) -> None:
        self._content_bytes = content_bytes
        self._texts = Texts()
        self._wording = Wording(members, drift_policies, self._texts)
        self._resources = self._resource_array(members)
        self._scopes = pa.array(
            [dict(zip(("name", "version"), _SCOPES[template.dialect], strict=True)) for template in TEMPLATES],
            pa.struct(
                [pa.field("name", pa.string(), nullable=False), pa.field("version", pa.string(), nullable=False)]
            ),
        )

    def messages(self, spans: Rows, events: Rows, starts: NDArray[np.int64]) -> list[memoryview]:
        """Return one message per request.

        Parameters
        ----------
        spans : Rows
            By request, then by resource (workflow and release).
        events : Rows
            By span id, then by time.
        starts : (requests,) int64
            First row of each request; the first is 0.
        """
        resource = spans["workflow"].astype(np.int64) * RELEASES + spans["release"]
        request = np.zeros(len(spans), np.int64)
        request[starts[1:]] = 1
        request = np.cumsum(request)
        first = np.flatnonzero(np.concatenate([[True], (np.diff(resource) != 0) | (np.diff(request) != 0)]))
        span_array = self._spans(spans, events)
        scope_spans = pa.StructArray.from_arrays(
            [self._scopes.take(pa.array(spans["template"][first])), list_of(span_array, _offsets(first, len(spans)))],
            names=["scope", "spans"],
        )
        each = np.arange(len(first) + 1, dtype=np.int32)
        resource_spans = pa.StructArray.from_arrays(
            [self._resources.take(pa.array(resource[first])), list_of(scope_spans, each)],
            names=["resource", "scope_spans"],
        )
        requests = list_of(resource_spans, _offsets(np.searchsorted(first, starts), len(first)))
        encoded = trace_handler().record_batch_to_array(
            pa.RecordBatch.from_arrays([requests], names=["resource_spans"])
        )
        self._texts.forget()
        bounds = np.frombuffer(encoded.buffers()[1], np.int32)[encoded.offset : encoded.offset + len(encoded) + 1]
        data = memoryview(encoded.buffers()[2]) if len(encoded) else memoryview(b"")
        return [data[low:high] for low, high in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)]

    def _spans(self, spans: Rows, events: Rows) -> pa.Array:
        wording, kind = self._wording, spans["kind"]
        template, action, model = spans["template"], spans["action"], spans["model"]
        name = np.select(
            [kind == RUN, kind == CHAT, kind == RETRIEVE],
            [
                wording.root_name[spans["workflow"]],
                wording.chat_span[template, model],
                wording.retrieval_span[template],
            ],
            wording.tool_span[template, action],
        )
        status = pa.StructArray.from_arrays(
            [pa.array(np.where(spans["error"] > 0, _ERROR, _OK), pa.int32())],
            fields=[pa.field("code", pa.int32(), nullable=False)],
        )
        return pa.StructArray.from_arrays(
            [
                fixed_binary(spans["trace_high"], spans["trace_low"]),
                fixed_binary(spans["span"]),
                fixed_binary(spans["parent"], present=spans["parent"] != 0),
                self._texts.take(name),
                pa.array(np.where(kind == CHAT, _CLIENT, _INTERNAL), pa.int32()),
                pa.array(spans["start"] * 1000, pa.uint64()),
                pa.array(spans["end"] * 1000, pa.uint64()),
                span_attributes(spans, wording, self._texts, self._content_bytes),
                self._events(spans, events),
                status,
            ],
            names=[
                "trace_id",
                "span_id",
                "parent_span_id",
                "name",
                "kind",
                "start_time_unix_nano",
                "end_time_unix_nano",
                "attributes",
                "events",
                "status",
            ],
        )

    def _events(self, spans: Rows, events: Rows) -> pa.Array:
        low = np.searchsorted(events["span"], spans["span"], "left")
        counts = np.searchsorted(events["span"], spans["span"], "right") - low
        offsets = np.zeros(len(spans) + 1, np.int32)
        np.cumsum(counts, out=offsets[1:])
        places = np.repeat(low - offsets[:-1], counts) + np.arange(offsets[-1])
        own = events.take(places)
        names = self._texts.codes(
            (
                "plumbline.policy.decision",
                "plumbline.approval",
                "plumbline.override",
                "plumbline.rollback",
                "gen_ai.evaluation.result",
            )
        )
        items = pa.StructArray.from_arrays(
            [
                pa.array(own["at"] * 1000, pa.uint64()),
                self._texts.take(names[own["kind"]]),
                self._event_attributes(own),
            ],
            names=["time_unix_nano", "name", "attributes"],
        )
        return list_of(items, offsets)

    def _event_attributes(self, own: Rows) -> pa.Array:
        texts, wording = self._texts, self._wording
        table = AttributeTable(len(own), texts)

        def chosen(kind: int) -> tuple[NDArray[np.int64], Rows]:
            rows = np.flatnonzero(own["kind"] == kind)
            return rows, own.take(rows)

        rows, some = chosen(DECISION)
        intake = some["subject"] < 0
        version = wording.policy_version[some["workflow"], some["release"]]
        rule = wording.rule[some["template"], some["subject"]]
        key = "plumbline.policy.decision"
        table.add(rows, f"{key}.policy", np.where(intake, wording.intake_policy, wording.policy[some["template"]]))
        table.add(rows, f"{key}.version", np.where(intake, wording.intake_version, version))
        table.add(rows, f"{key}.rule", np.where(intake, wording.intake_rule, rule))
        table.add(rows, f"{key}.action", wording.decision[some["verdict"]])
        table.add(rows, f"{key}.enforced", 1, "bool")

        rows, some = chosen(APPROVAL)
        table.add(rows, "plumbline.approval.status", wording.approval[some["verdict"]])
        decided = some["verdict"] < 2
        table.add(rows, "plumbline.approval.by", wording.approver[some["template"]], where=decided)

        rows, some = chosen(OVERRIDE)
        table.add(rows, "plumbline.override.by", wording.approver[some["template"]])

        rows, some = chosen(ROLLBACK)
        table.add(rows, "plumbline.rollback.kind", wording.rollback[some["subject"]])
        table.add(rows, "plumbline.rollback.trigger", texts.code("drill"))
        table.add(rows, "plumbline.rollback.drill", 1, "bool")
        done = np.datetime_as_string(some["done"].astype("datetime64[us]"), unit="ms", timezone="UTC")
        table.add(rows, "plumbline.rollback.completed_at", texts.codes(done.tolist()))
        table.add(rows, "plumbline.rollback.status", texts.code("succeeded"))

        rows, some = chosen(EVALUATION)
        table.add(rows, "gen_ai.evaluation.name", wording.outcome_name[some["template"]])
        table.add(rows, "gen_ai.evaluation.score.value", some["verdict"].astype(np.float64), "double")
        table.add(rows, "gen_ai.evaluation.score.label", wording.label[some["verdict"]])
        return table.build()

    def _resource_array(self, members: Sequence[Workflow]) -> pa.Array:
        """One resource per workflow and release, in the order workflow * RELEASES + release."""
        texts = self._texts
        table = AttributeTable(len(members) * RELEASES, texts)
        rows = np.arange(len(members) * RELEASES)

        def each(values: list[str]) -> NDArray[np.int32]:
            return np.repeat(texts.codes(values), RELEASES)

        kinds = [member.kind for member in members]
        table.add(rows, "service.name", each([member.service for member in members]))
        table.add(rows, "service.version", np.tile(self._wording.release, len(members)))
        old = np.repeat(np.array([kind.dialect == "otel-old" for kind in kinds]), RELEASES)
        table.add(rows, "deployment.environment.name", texts.code("production"), where=~old)
        table.add(rows, "deployment.environment", texts.code("production"), where=old)
        table.add(rows, "plumbline.team", each([kind.team for kind in kinds]))
        table.add(rows, "plumbline.cost_center", each([kind.cost_center for kind in kinds]))
        table.add(rows, "plumbline.release", np.tile(self._wording.release, len(members)))
        table.add(rows, "telemetry.sdk.language", texts.code("python"))
        return pa.StructArray.from_arrays([table.build()], names=["attributes"])


def _offsets(first: NDArray[np.int64], total: int) -> NDArray[np.int32]:
    return np.append(first, total).astype(np.int32)
