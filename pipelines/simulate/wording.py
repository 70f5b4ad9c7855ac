"""Codes of every text a fleet can say, as arrays to look up by workflow, template, action or model."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from .drift import release_name
from .fleet import INTAKE_POLICY, INTAKE_VERSION, TEMPLATES, Workflow
from .runs import APPROVALS
from .table import OUTCOMES
from .template import Template
from .texts import Texts

Codes = NDArray[np.int32]

_FINISH = {"anthropic": ("end_turn", "tool_use", "max_tokens")}
_FINISH_ELSE = ("stop", "tool_calls", "length")
_MODEL_ERRORS = ("429", "timeout")
RELEASES = 3


class Wording:
    """Lookup tables of text codes; ``[template, action]`` and the like unless said otherwise."""

    def __init__(self, members: Sequence[Workflow], drift_policies: Sequence[str], texts: Texts) -> None:
        kinds = [member.kind for member in members]
        code = texts.code

        def by_action(text: Callable[[Template, int], str]) -> Codes:
            table = np.zeros((len(TEMPLATES), max(len(kind.states) for kind in TEMPLATES)), np.int32)
            for row, kind in enumerate(TEMPLATES):
                table[row, : len(kind.states)] = [code(text(kind, state)) for state in range(len(kind.states))]
            return table

        def by_model(text: Callable[[Template, int], str]) -> Codes:
            table = np.zeros((len(TEMPLATES), max(len(kind.models) for kind in TEMPLATES)), np.int32)
            for row, kind in enumerate(TEMPLATES):
                table[row, : len(kind.models)] = [code(text(kind, model)) for model in range(len(kind.models))]
            return table

        def tool(kind: Template, state: int) -> str:
            return kind.states[state]

        self.workflow = texts.codes(member.name for member in members)
        self.agent = texts.codes(member.agent for member in members)
        self.root_name = texts.codes(f"invoke_agent {member.agent}" for member in members)
        self.outcome_name = texts.codes(kind.outcome_name for kind in TEMPLATES)
        self.approver = texts.codes(f"{kind.team}-approvers" for kind in TEMPLATES)
        self.outcome = texts.codes(OUTCOMES)
        self.approval = texts.codes(APPROVALS)
        self.label = texts.codes(("fail", "pass"))
        self.decision = texts.codes(("allow", "deny", "escalate", "redact"))
        self.rollback = texts.codes(("kill_switch", "version"))
        self.tool = by_action(tool)
        self.tool_span = by_action(lambda kind, state: f"execute_tool {kind.states[state]}")
        self.rule = by_action(lambda kind, state: f"may-{kind.states[state].replace('_', '-')}")
        self.effect = by_action(lambda kind, state: kind.tools[state].effect if state < len(kind.tools) else "read")
        self.retrieval_span = texts.codes(f"retrieval {kind.index}" for kind in TEMPLATES)
        self.provider = by_model(lambda kind, model: kind.models[model].provider)
        self.request_model = by_model(lambda kind, model: kind.models[model].request)
        self.response_model = by_model(lambda kind, model: kind.models[model].response)
        self.chat_span = by_model(lambda kind, model: f"chat {kind.models[model].request}")
        self.finish = np.stack(  # [template, model, finish]
            [
                by_model(lambda kind, model, n=n: _FINISH.get(kind.models[model].provider, _FINISH_ELSE)[n])
                for n in range(3)
            ],
            axis=2,
        )
        self.tool_error = np.stack(  # [template, action, error - 1]
            [
                by_action(lambda kind, s, n=n: kind.tools[s].errors[n] if s < len(kind.tools) else "timeout")
                for n in range(2)
            ]
            + [by_action(lambda kind, state: "approval_denied")],
            axis=2,
        )
        self.model_error = texts.codes(_MODEL_ERRORS)
        sources = [texts.codes(name for name, _ in kind.sources) for kind in TEMPLATES]
        self.source = np.full((len(TEMPLATES), 256), -1, np.int32)
        for row, found in enumerate(sources):
            self.source[row, : len(found)] = found

        releases = range(RELEASES)
        self.release = texts.codes(release_name(n) for n in releases)
        # A release changes agent and prompt; the one with a drift may also change the policy: [workflow, release].
        self.agent_version = texts.codes(f"3.{4 + (n == 2)}.{int(n == 1)}" for n in releases)
        self.prompt_version = np.stack([texts.codes(f"{kind.name}-p{11 + n}" for n in releases) for kind in kinds])
        self.policy_version = np.stack(
            [
                texts.codes(brought if n == 2 and brought else str(kind.policy_version) for n in releases)
                for kind, brought in zip(kinds, drift_policies, strict=True)
            ]
        )
        self.policy = texts.codes(kind.policy for kind in TEMPLATES)
        self.intake_policy, self.intake_version = code(INTAKE_POLICY), code(INTAKE_VERSION)
        self.intake_rule = code("personal-data-in-request")
