"""Service Quotas: how much an account has, of what this template's functions take."""

from emulator.calls import NOTHING, AwsError, Call, claims, command, doc, operation
from emulator.codebuild import AT_ONCE
from emulator.judge.checks import Asked, reads

API = "servicequotas/2019-06-24/apireference"
DEFAULTS = {("codebuild", "L-5ED1D25B"): AT_ONCE, ("events", "L-244521F2"): 300}
APPLIED: dict[tuple[str, str, str, str], float | None] = {}  # by account, region, service, code


@command
@claims("the command set_quota", NOTHING)
def set_quota(account: str, region: str, service: str, code: str, value: float | None) -> None:
    """Give an account a quota of its own in a region; None: there the quota is not known at all."""
    APPLIED[account, region, service, code] = value


def found(call: Call, value: float | None) -> dict[str, object]:
    """Return a quota. Raises AwsError if there is none."""
    service, code = call.parameters["ServiceCode"], call.parameters["QuotaCode"]
    if value is None:
        raise AwsError("NoSuchResourceException", f"There is no quota {code} of {service}")
    return {"Quota": {"ServiceCode": service, "QuotaCode": code, "Value": value}}


@operation("service-quotas", "GetServiceQuota", rests=doc(f"{API}/API_GetServiceQuota.html"))
def applied(call: Call) -> dict[str, object]:
    """Return a quota that is the account's own. A default is not told here."""
    place = call.account, call.region, call.parameters["ServiceCode"], call.parameters["QuotaCode"]
    return found(call, APPLIED.get(place))


@operation(
    "service-quotas", "GetAWSDefaultServiceQuota", rests=doc(f"{API}/API_GetAWSDefaultServiceQuota.html")
)
def default(call: Call) -> dict[str, object]:
    """Return what a quota is unless it has been changed."""
    service, code = call.parameters["ServiceCode"], call.parameters["QuotaCode"]
    known = APPLIED.get((call.account, call.region, service, code), 0) is not None
    return found(call, DEFAULTS.get((service, code)) if known else None)


@reads("service-quotas", rests=doc("service-authorization/latest/reference/list_servicequotas.html"))
def asked(call: Call, action: str) -> Asked:
    """Yield what Service Quotas checks, under another name; only what is applied is a resource."""
    service, code = call.parameters["ServiceCode"], call.parameters["QuotaCode"]
    quota = f"arn:aws:servicequotas:{call.region}:{call.account}:{service}/{code}"
    yield f"servicequotas:{call.operation}", quota if call.operation == "GetServiceQuota" else "*", {}
