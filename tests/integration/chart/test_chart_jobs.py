"""The chart's jobs, which run `rotator report` and `rotator reconcile`, and its calendars of change freezes."""

from datetime import UTC, datetime

import pytest
import typer.main
from helm_python import HelmError
from rendered_chart import VALUE_SETS, Manifest, config, kinds, of_kind, pod_of, rendered

from rotator.cli.app import build
from rotator.cli.options import DEFAULT_CONFIG
from rotator.core.blackouts import Extent
from rotator.settings import load

BOTH = {"cronJobs": {"report": {"enabled": True}, "reconcile": {"enabled": True}}}


def jobs(values, **how) -> dict[str, Manifest]:
    """The CronJobs by what they run."""
    found = [each for each in rendered(values, **how) if each["kind"] == "CronJob"]
    return {container_of(each)["name"]: each for each in found}


def pod_in(job: Manifest) -> Manifest:
    return job["spec"]["jobTemplate"]["spec"]["template"]


def container_of(job: Manifest) -> Manifest:
    (container,) = pod_in(job)["spec"]["containers"]
    return container


def test_no_job_is_there_unless_it_is_asked_for():
    assert "CronJob" not in kinds(rendered({}))
    assert set(jobs({"cronJobs": {"report": {"enabled": True}}})) == {"report"}
    assert set(jobs(BOTH)) == {"report", "reconcile"}


def test_each_runs_its_command_with_the_mounted_configuration():
    found = jobs(
        {"cronJobs": {"report": {"enabled": True}, "reconcile": {"enabled": True, "arguments": ["--only", "missing"]}}}
    )
    assert container_of(found["report"])["args"] == ["report", "--config", str(DEFAULT_CONFIG), "--output", "csv"]
    assert container_of(found["reconcile"])["args"] == [
        "reconcile",
        "--config",
        str(DEFAULT_CONFIG),
        "--only",
        "missing",
    ]


@pytest.mark.parametrize("name", ["report", "reconcile"])
def test_the_command_line_of_a_job_is_one_that_rotator_takes(name):
    _, *arguments = container_of(jobs(BOTH)[name])["args"]
    command = typer.main.get_command(build()).commands[name]
    context = command.make_context(name, list(arguments))
    assert context.params["config"] == DEFAULT_CONFIG


@pytest.mark.parametrize("values", [BOTH, {**VALUE_SETS["approle-from-secrets"], **BOTH}, VALUE_SETS["everything"]])
def test_a_job_has_what_the_daemon_has_and_no_way_to_the_kubernetes_api(values):
    daemon = pod_of(rendered(values))["spec"]
    (program,) = daemon["containers"]
    for job in jobs(values).values():
        spec, container = pod_in(job)["spec"], container_of(job)
        for key in ("serviceAccountName", "securityContext", "automountServiceAccountToken", "enableServiceLinks"):
            assert spec[key] == daemon[key]
        for key in ("image", "env", "resources", "securityContext"):
            assert container.get(key) == program.get(key)
        assert container["volumeMounts"] == [
            each for each in program["volumeMounts"] if each["name"] != "kubernetes-api"
        ]
        assert spec["volumes"] == [each for each in daemon["volumes"] if each["name"] != "kubernetes-api"]


def test_a_finding_fails_the_job_at_once_and_is_kept():
    for job in jobs(BOTH).values():
        assert job["spec"]["jobTemplate"]["spec"]["backoffLimit"] == 0
        assert job["spec"]["jobTemplate"]["spec"]["activeDeadlineSeconds"] == 3600
        assert pod_in(job)["spec"]["restartPolicy"] == "Never"
        assert job["spec"]["concurrencyPolicy"] == "Forbid"
        assert (job["spec"]["failedJobsHistoryLimit"], job["spec"]["successfulJobsHistoryLimit"]) == (7, 7)
        assert job["spec"]["timeZone"] == "Etc/UTC"
        assert len(job["spec"]["schedule"].split()) == 5


@pytest.mark.parametrize("values", [BOTH, VALUE_SETS["everything"]])
def test_no_service_leads_to_a_job_and_the_network_policy_holds_for_it(values):
    manifests = rendered(values)
    policy = of_kind(manifests, "NetworkPolicy")["spec"]["podSelector"]
    (expression,) = policy["matchExpressions"]
    for job in jobs(values).values():
        labels = pod_in(job)["metadata"]["labels"]
        for kind in kinds(manifests) & {"Service", "PodDisruptionBudget", "PodMonitor", "Deployment"}:
            selector = of_kind(manifests, kind)["spec"]["selector"]
            assert not selector.get("matchLabels", selector).items() <= labels.items()
        assert labels["app.kubernetes.io/name"] in expression["values"]
        assert policy["matchLabels"].items() <= labels.items()
    own = pod_of(manifests)["metadata"]["labels"]
    assert own["app.kubernetes.io/name"] in expression["values"]
    assert policy["matchLabels"].items() <= own.items()


def test_names_of_jobs_are_as_short_as_kubernetes_wants_them():
    for job in jobs(BOTH, name="r" * 53).values():
        assert len(job["metadata"]["name"]) <= 52


CALENDAR = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//example//freezes//EN\r\nBEGIN:VEVENT\r\nUID:1@example.com\r\n"
    "DTSTAMP:{year}0101T000000Z\r\nDTSTART;VALUE=DATE:{year}1220\r\nDTEND;VALUE=DATE:{year}1231\r\n"
    "SUMMARY:end of year\\, <all> sites\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)


def test_a_calendar_arrives_as_it_is_and_a_policy_reads_it(tmp_path):
    year = datetime.now(UTC).year
    text = CALENDAR.format(year=year)
    named = config().replace("targets:", "policies:\n  default:\n    blackouts: [{calendar: CALENDAR}]\ntargets:")
    named = named.replace("path: sip/phone}", "path: sip/phone, policy: default}")
    manifests = rendered(
        {"config": named.replace("CALENDAR", "/etc/rotator-calendars/freezes.ics"), "calendars": {"freezes.ics": text}}
    )
    (calendars,) = [each for each in manifests if each["metadata"]["name"] == "demo-rotator-calendars"]
    assert calendars["data"] == {"freezes.ics": text}
    (mount,) = [
        each for each in pod_of(manifests)["spec"]["containers"][0]["volumeMounts"] if each["name"] == "calendars"
    ]
    assert mount == {"name": "calendars", "mountPath": "/etc/rotator-calendars", "readOnly": True}

    (tmp_path / "freezes.ics").write_bytes(calendars["data"]["freezes.ics"].encode())
    (tmp_path / "config.yaml").write_text(named.replace("CALENDAR", str(tmp_path / "freezes.ics")))
    (target,) = load(tmp_path / "config.yaml", {"VOBIZ_AUTH_TOKEN": "x"}).core_targets()
    (blackout, *_) = target.policy.blackouts
    assert (blackout.reason, blackout.extent) == ("end of year, <all> sites", Extent.CHANGES)
    assert blackout.end > datetime.now(UTC)


def test_a_changed_calendar_restarts_the_pods():
    def checksum(values) -> str | None:
        return pod_of(rendered(values))["metadata"]["annotations"].get("checksum/calendars")

    assert checksum({}) is None
    assert checksum({"calendars": {"a.ics": "x"}}) != checksum({"calendars": {"a.ics": "y"}})


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"calendars": {"freezes.txt": "x"}}, "freezes.txt"),
        (
            {"calendars": {"freezes.ics": "x" * 1_000_001}},
            "calendars: together they are larger than a ConfigMap can be",
        ),
        ({"cronJobs": {"report": {"enabled": True, "schedule": "daily"}}}, "schedule"),
        ({"cronJobs": {"rotate": {"enabled": True}}}, "rotate"),
        ({"cronJobs": {"deadlineSeconds": 5}}, "deadlineSeconds"),
        ({"cronJobs": {"timeZone": "not a zone"}}, "timeZone"),
        ({"kubernetesEvents": {"enabled": "yes"}}, "enabled"),
    ],
)
def test_what_cannot_work_is_refused(values, says):
    with pytest.raises(HelmError) as caught:
        rendered(values)
    assert says in str(caught.value)
