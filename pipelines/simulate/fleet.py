"""The simulated fleet: six kinds of workflow, and numbered variants of them when more are asked for.

Names, teams and tools match ``catalog.example.yaml``. A shape or source with share 0 is there for a drift to bring in. Each of the first five can take one drift; the sixth stays clean
and speaks the old OTel names. Models are public ones with public prices, but for one self-hosted share without a price.
"""

from __future__ import annotations

from dataclasses import dataclass

from .template import END, RETRIEVAL, START, Model, Template, Tool

INTAKE_POLICY = "data-protection"
INTAKE_VERSION = "2.1"

_CUSTOMER = ('{"customer_id":"CUS-', 1_000_000, '"}')
_NOTE = ('{"case_id":"CASE-', 1_000_000, '","note":"NOTE-', 10_000, '"}')
_NOTICE = ('{"customer_id":"CUS-', 1_000_000, '","template":"T-', 100, '","channel":"email"}')
_TICKET = ('{"title":"INC-', 100_000, '","severity":', 10, ',"labels":["agent"]}')
_GPT = Model("openai", "gpt-4.1", "gpt-4.1-2025-04-14", 0.97)
_GPT_MINI = Model("openai", "gpt-4.1-mini", "gpt-4.1-mini-2025-04-14", 0.03)
_SONNET = "claude-sonnet-4-5", "claude-sonnet-4-5-20250929"
_HAIKU = "claude-haiku-4-5", "claude-haiku-4-5-20251001"


def _note() -> Tool:
    return Tool("add_case_note", "write", 0.006, 90, 40, (_NOTE,))


def _sources(prefix: str, *names: str) -> tuple[tuple[str, float], ...]:
    """Sources with shares falling like 1 / rank ** 0.7, as the use of a knowledge base does."""
    weights = [1 / (rank + 1) ** 0.7 for rank in range(len(names))]
    return tuple((f"{prefix}/{name}", weight / sum(weights)) for name, weight in zip(names, weights, strict=True))


REFUND_DESK = Template(
    name="refund-desk", service="refund-desk", agent="refund-agent",
    team="payments-platform", cost_center="cc-4100", dialect="otel", weight=1.2,
    tools=(
        Tool("lookup_order", "read", 0.02, 140, 320, (
            ('{"order_id":"ORD-', 1_000_000, '"}'),
            ('{"order_id":"ORD-', 1_000_000, '","include_items":true}'),
            ('{"orderRef":{"number":', 1_000_000, ',"source":"v2"},"expand":["items","payments"]}'),
        ), (0.8, 0.2, 0.0)),
        Tool("check_eligibility", "read", 0.012, 220, 160, (
            ('{"order_id":"ORD-', 1_000_000, '","amount":', 1_000, ',"currency":"EUR"}'),
        )),
        Tool("issue_refund", "write", 0.015, 480, 90, (
            ('{"order_id":"ORD-', 1_000_000, '","amount":', 1_000, ',"reason":"R', 100, '"}'),
        )),
        Tool("reverse_refund", "write", 0.01, 450, 80, (('{"refund_id":"REF-', 1_000_000, '"}'),), undoes="issue_refund"),
        _note(),
    ),
    sources=_sources("refunds", "policy-standard", "policy-electronics", "shipping-damage", "goodwill-guide", "chargebacks",
                     "marketplace-sellers", "gift-cards", "subscriptions"),
    index="refund-policies", retrieval_tokens=900,
    plan={
        START: {"lookup_order": 0.94, RETRIEVAL: 0.06},
        "lookup_order": {RETRIEVAL: 0.52, "check_eligibility": 0.48},
        RETRIEVAL: {"check_eligibility": 0.66, "issue_refund": 0.12, END: 0.22},
        "check_eligibility": {"issue_refund": 0.68, RETRIEVAL: 0.1, END: 0.22},
        "issue_refund": {"add_case_note": 0.55, "reverse_refund": 0.02, END: 0.43},
        "reverse_refund": {"add_case_note": 0.5, END: 0.5},
        "add_case_note": {END: 1.0},
    },
    models=(_GPT, _GPT_MINI), fallback=True, prompt_tokens=2600, system_tokens=1536, run_sigma=0.35,
    escalated=0.06, failed=0.05, abandoned=0.02, outcome_name="refund_settled", outcome_by="attribute", value_usd=38.0,
    policy="refund-limits", policy_version=7, drill_minutes=(2.0, 11.0), drift="tool",
)  # fmt: skip

CLAIMS_TRIAGE = Template(
    name="claims-triage", service="claims-triage", agent="claims-triage",
    team="claims-operations", cost_center="cc-5200", dialect="openinference", weight=1.0,
    tools=(
        Tool("get_claim", "read", 0.015, 180, 420, (('{"claim_id":"CLM-', 1_000_000, '"}'),)),
        Tool("get_policyholder", "read", 0.012, 150, 210, (_CUSTOMER,)),
        Tool("estimate_damage", "read", 0.02, 900, 180, (
            ('{"claim_id":"CLM-', 1_000_000, '","photos":', 10, "}"),
            ('{"claim_id":"CLM-', 1_000_000, '","photos":', 10, ',"line_items":["L', 100, '"]}'),
        ), (0.7, 0.3)),
        Tool("assign_adjuster", "write", 0.01, 160, 60, (('{"claim_id":"CLM-', 1_000_000, '","queue":"Q', 100, '"}'),)),
        Tool("unassign_adjuster", "write", 0.01, 150, 50, (('{"claim_id":"CLM-', 1_000_000, '"}'),), undoes="assign_adjuster"),
        _note(),
    ),
    sources=_sources("claims", "motor-wording", "home-wording", "exclusions", "excess-tables", "fraud-indicators",
                     "repair-network", "storm-bulletins", "travel-wording", "legal-precedents")
    + (("claims/community-forum", 0.0),),
    index="policy-wordings", retrieval_tokens=1300,
    plan={
        START: {"get_claim": 0.85, "get_policyholder": 0.15},
        "get_policyholder": {"get_claim": 0.6, RETRIEVAL: 0.4},
        "get_claim": {RETRIEVAL: 0.8, "estimate_damage": 0.2},
        RETRIEVAL: {RETRIEVAL: 0.22, "estimate_damage": 0.42, "assign_adjuster": 0.22, END: 0.14},
        "estimate_damage": {"assign_adjuster": 0.66, RETRIEVAL: 0.12, END: 0.22},
        "assign_adjuster": {"add_case_note": 0.25, "unassign_adjuster": 0.015, END: 0.735},
        "unassign_adjuster": {"assign_adjuster": 0.8, END: 0.2},
        "add_case_note": {END: 1.0},
    },
    models=(Model("anthropic", *_SONNET, 0.8), Model("anthropic", *_HAIKU, 0.2)), fallback=False,
    prompt_tokens=3400, system_tokens=2048, run_sigma=0.4,
    escalated=0.09, failed=0.06, abandoned=0.01, outcome_name="claim_routed", outcome_by="attribute", value_usd=0.0,
    policy="claims-authority", policy_version=3, drill_minutes=None, drift="data",
)  # fmt: skip

CUSTOMER_ONBOARDING = Template(
    name="customer-onboarding", service="customer-onboarding", agent="onboarding-agent",
    team="growth-platform", cost_center="cc-3300", dialect="otel", weight=0.9,
    tools=(
        Tool("lookup_customer", "read", 0.01, 120, 240, (_CUSTOMER,)),
        Tool("verify_identity", "read", 0.025, 1400, 130, (
            ('{"customer_id":"CUS-', 1_000_000, '","document":"D', 1_000_000, '","country":"NL"}'),
        )),
        Tool("request_document", "write", 0.01, 130, 60, (('{"customer_id":"CUS-', 1_000_000, '","kind":"K', 10, '"}'),)),
        Tool("create_account", "write", 0.015, 520, 110, (('{"customer_id":"CUS-', 1_000_000, '","plan":"P', 10, '"}'),)),
        Tool("close_account", "write", 0.01, 400, 70, (('{"account_id":"ACC-', 1_000_000, '"}'),), undoes="create_account"),
        Tool("notify_customer", "write", 0.008, 160, 30, (_NOTICE,)),
    ),
    sources=_sources("onboarding", "kyc-guide", "plan-matrix", "country-rules", "sanctions-howto", "pricing", "data-residency"),
    index="onboarding-guides", retrieval_tokens=700,
    plan={
        START: {"lookup_customer": 0.75, "verify_identity": 0.25},
        "lookup_customer": {"verify_identity": 0.75, RETRIEVAL: 0.25},
        "verify_identity": {"create_account": 0.62, RETRIEVAL: 0.2, "request_document": 0.18},
        "request_document": {"verify_identity": 0.3, END: 0.7},
        RETRIEVAL: {"create_account": 0.48, "verify_identity": 0.2, END: 0.32},
        "create_account": {"notify_customer": 0.7, "close_account": 0.01, END: 0.29},
        "close_account": {END: 1.0},
        "notify_customer": {END: 1.0},
    },
    models=(Model("openai", "gpt-4.1-mini", "gpt-4.1-mini-2025-04-14", 1.0),), fallback=True,
    prompt_tokens=2000, system_tokens=1280, run_sigma=0.35,
    escalated=0.07, failed=0.05, abandoned=0.05, outcome_name="account_opened", outcome_by="attribute", value_usd=0.0,
    policy="kyc-rules", policy_version=12, drill_minutes=(3.0, 14.0), drift="behavior",
)  # fmt: skip

ACCESS_REQUESTS = Template(
    name="access-requests", service="access-requests", agent="access-agent",
    team="identity-platform", cost_center="cc-2100", dialect="otel", weight=1.1,
    tools=(
        Tool("lookup_employee", "read", 0.01, 110, 190, (('{"employee_id":"E', 1_000_000, '"}'),)),
        Tool("list_entitlements", "read", 0.015, 210, 380, (('{"employee_id":"E', 1_000_000, '","system":"SYS-', 100, '"}'),)),
        Tool("grant_access", "write", 0.012, 340, 70, (
            ('{"employee_id":"E', 1_000_000, '","role":"ROLE-', 1_000, '","days":', 100, "}"),
        ), approval=True),
        Tool("revoke_access", "write", 0.01, 320, 60, (
            ('{"employee_id":"E', 1_000_000, '","role":"ROLE-', 1_000, '"}'),
        ), undoes="grant_access"),
        Tool("open_ticket", "write", 0.008, 190, 50, (_TICKET,)),
    ),
    sources=_sources("access", "role-catalog", "joiner-mover-leaver", "segregation-of-duties", "break-glass", "vendor-access"),
    index="access-policies", retrieval_tokens=800,
    plan={
        START: {"lookup_employee": 1.0},
        "lookup_employee": {"list_entitlements": 0.7, RETRIEVAL: 0.3},
        "list_entitlements": {RETRIEVAL: 0.36, "grant_access": 0.5, END: 0.14},
        RETRIEVAL: {"grant_access": 0.62, "open_ticket": 0.12, END: 0.26},
        "grant_access": {"revoke_access": 0.015, "list_entitlements": 0.035, END: 0.95},
        "revoke_access": {"open_ticket": 0.4, END: 0.6},
        "open_ticket": {END: 1.0},
    },
    models=(_GPT, _GPT_MINI), fallback=True, prompt_tokens=2200, system_tokens=1536, run_sigma=0.3,
    escalated=0.07, failed=0.04, abandoned=0.01, outcome_name="access_decided", outcome_by="attribute", value_usd=0.0,
    policy="access-control", policy_version=5, drill_minutes=(1.5, 8.0), drift="policy",
)  # fmt: skip

INCIDENT_RESPONSE = Template(
    name="incident-response", service="incident-response", agent="responder",
    team="site-reliability", cost_center="cc-1200", dialect="otel", weight=0.9,
    tools=(
        Tool("query_metrics", "read", 0.018, 380, 520, (
            ('{"query":"M', 1_000, '","minutes":', 100, "}"),
            ('{"query":"M', 1_000, '","minutes":', 100, ',"step_seconds":', 100, "}"),
        ), (0.75, 0.25)),
        Tool("search_logs", "read", 0.022, 650, 800, (('{"service":"S', 100, '","pattern":"P', 1_000, '","limit":', 1_000, "}"),)),
        Tool("restart_service", "irreversible", 0.02, 2600, 90, (('{"service":"S', 100, '","region":"r', 10, '"}'),), approval=True),
        Tool("open_ticket", "write", 0.008, 190, 50, (_TICKET,)),
        Tool("close_ticket", "write", 0.008, 170, 40, (('{"ticket_id":"INC-', 100_000, '"}'),), undoes="open_ticket"),
    ),
    sources=_sources("runbooks", "latency", "error-budget", "failover", "queue-backlog", "certificates", "disk-pressure", "dns"),
    index="runbooks", retrieval_tokens=1100,
    plan={
        START: {"query_metrics": 0.7, "search_logs": 0.3},
        "query_metrics": {"search_logs": 0.4, RETRIEVAL: 0.32, "query_metrics": 0.1, "open_ticket": 0.18},
        "search_logs": {RETRIEVAL: 0.33, "query_metrics": 0.1, "restart_service": 0.12, "open_ticket": 0.3, END: 0.15},
        RETRIEVAL: {"restart_service": 0.17, "open_ticket": 0.45, "search_logs": 0.1, END: 0.28},
        "restart_service": {"open_ticket": 0.7, END: 0.3},
        "open_ticket": {"close_ticket": 0.02, END: 0.98},
        "close_ticket": {END: 1.0},
    },
    models=(Model("anthropic", *_SONNET, 0.98), Model("anthropic", *_HAIKU, 0.02)), fallback=True,
    prompt_tokens=3800, system_tokens=2560, run_sigma=0.4,
    escalated=0.12, failed=0.06, abandoned=0.01, outcome_name="incident_mitigated", outcome_by="attribute", value_usd=0.0,
    policy="change-freeze", policy_version=9, drill_minutes=(1.0, 6.0), drift="cost",
)  # fmt: skip

INVOICE_MATCHING = Template(
    name="invoice-matching", service="finance-agents", agent="invoice-matching",
    team="finance-automation", cost_center="cc-6400", dialect="otel-old", weight=0.9,
    tools=(
        Tool("fetch_invoice", "read", 0.012, 170, 520, (('{"invoice_id":"INV-', 1_000_000, '"}'),)),
        Tool("match_purchase_order", "read", 0.018, 260, 280, (('{"invoice_id":"INV-', 1_000_000, '","tolerance":', 10, "}"),)),
        Tool("post_to_ledger", "write", 0.012, 420, 70, (('{"invoice_id":"INV-', 1_000_000, '","account":', 10_000, "}"),)),
        Tool("reverse_posting", "write", 0.01, 380, 60, (('{"posting_id":"PST-', 1_000_000, '"}'),), undoes="post_to_ledger"),
        Tool("open_ticket", "write", 0.008, 190, 50, (_TICKET,)),
    ),
    sources=_sources("finance", "tax-codes", "supplier-terms", "approval-matrix", "cost-objects", "intercompany"),
    index="finance-handbook", retrieval_tokens=600,
    plan={
        START: {"fetch_invoice": 1.0},
        "fetch_invoice": {"match_purchase_order": 0.88, RETRIEVAL: 0.12},
        "match_purchase_order": {"post_to_ledger": 0.62, RETRIEVAL: 0.26, "open_ticket": 0.12},
        RETRIEVAL: {"post_to_ledger": 0.5, "match_purchase_order": 0.28, "open_ticket": 0.14, END: 0.08},
        "post_to_ledger": {"reverse_posting": 0.012, END: 0.988},
        "reverse_posting": {"open_ticket": 0.6, END: 0.4},
        "open_ticket": {END: 1.0},
    },
    models=(Model("openai", "gpt-4o-mini", "gpt-4o-mini-2024-07-18", 0.92),
            Model("vllm", "invoice-extractor-8b", "invoice-extractor-8b", 0.08)), fallback=False,
    prompt_tokens=1800, system_tokens=1024, run_sigma=0.35,
    escalated=0.0, failed=0.08, abandoned=0.0, outcome_name="invoice_matched", outcome_by="evaluation", value_usd=0.0,
    policy="posting-authority", policy_version=4, drill_minutes=(4.0, 45.0), drift="",
)  # fmt: skip

TEMPLATES = (REFUND_DESK, CLAIMS_TRIAGE, CUSTOMER_ONBOARDING, ACCESS_REQUESTS, INCIDENT_RESPONSE, INVOICE_MATCHING)


@dataclass(frozen=True, slots=True)
class Workflow:
    """One workflow of the fleet: a template under a name of its own. ``drift`` is empty where none can be injected."""

    name: str
    template: int
    drift: str

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
        members.append(Workflow(kind.name if round_ == 0 else f"{kind.name}-{round_ + 1}", template, "" if round_ else kind.drift))
    return tuple(members)
