"""The simulated fleet: six kinds of workflow, and numbered variants of them when more are asked for.

Names, teams and tools match ``catalog.example.yaml``. Each kind can take drifts (``Template.drifts``), a workflow one of
them. By default the sixth stays clean; it speaks the old OTel names. Models are public ones with public prices, but for one
self-hosted share without.
"""

from __future__ import annotations

from dataclasses import dataclass

from .customer_workflows import CLAIMS_TRIAGE, CUSTOMER_ONBOARDING, REFUND_DESK
from .internal_workflows import ACCESS_REQUESTS, INCIDENT_RESPONSE, INVOICE_MATCHING
from .template import Template

INTAKE_POLICY = "data-protection"
INTAKE_VERSION = "2.1"

TEMPLATES = (REFUND_DESK, CLAIMS_TRIAGE, CUSTOMER_ONBOARDING, ACCESS_REQUESTS, INCIDENT_RESPONSE, INVOICE_MATCHING)


@dataclass(frozen=True, slots=True)
class Workflow:
    """One workflow of the fleet: a template under a name of its own."""

    name: str
    template: int

    @property
    def kind(self) -> Template:
        """The template behind it."""
        return TEMPLATES[self.template]

    @property
    def service(self) -> str:
        """``service.name`` of its resource."""
        return self.kind.service + self.name.removeprefix(self.kind.name)

    @property
    def agent(self) -> str:
        """Agent name on its root spans; equal to the workflow where the dialect has no key for a workflow."""
        return self.name if self.kind.agent == self.kind.name else self.kind.agent


def fleet(workflows: int) -> tuple[Workflow, ...]:
    """Return the first ``workflows`` workflows: the six kinds, then ``refund-desk-2``, ``claims-triage-2`` ...

    Examples
    --------
    >>> [workflow.name for workflow in fleet(7)][-2:]
    ['invoice-matching', 'refund-desk-2']
    """
    members: list[Workflow] = []
    for index in range(workflows):
        round_, template = divmod(index, len(TEMPLATES))
        kind = TEMPLATES[template]
        members.append(Workflow(kind.name if round_ == 0 else f"{kind.name}-{round_ + 1}", template))
    return tuple(members)
