"""What people read: subject, e-mail and Slack message, also with odd names and very many alerts."""

from __future__ import annotations

import html
import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.prometheus.amtool import rendered
from tests.prometheus.incident import (
    BURNING,
    BURNING_FAST,
    HALF_USED,
    INCIDENT,
    MODEL,
    SPIKE,
    STARTED,
    Alert,
    template_data,
)

pytestmark = pytest.mark.skipif(shutil.which("amtool") is None, reason="amtool is not installed")


class Page(HTMLParser):
    """What a reader of an HTML page sees, which elements there are, and where links lead."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.bold: list[str] = []
        self._pieces: list[str] = []
        self._in_bold = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes.update(name for name, _ in attrs)
        self.links += [value or "" for name, value in attrs if name == "href"]
        if tag == "b":
            self._in_bold = True
            self.bold.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == "b":
            self._in_bold = False

    def handle_data(self, data: str) -> None:
        self._pieces.append(data)
        if self._in_bold:
            self.bold[-1] += data

    @property
    def text(self) -> str:
        return "".join(self._pieces)


def e_mail(
    folder: Path, firing: Sequence[Alert], resolved: Sequence[Alert] = (), **lasted: timedelta
) -> Page:
    return Page(rendered(folder, "spend.email.html", template_data(firing, resolved, **lasted), "html"))


def test_the_subject_is_the_most_severe_alert_with_its_figures(tmp_path: Path) -> None:
    assert rendered(tmp_path, "spend.subject", template_data([SPIKE])) == (
        "Warning: Cloud Run (gcp): +$18.42 above normal in one hour"
    )
    assert rendered(tmp_path, "spend.subject", template_data(INCIDENT)) == (
        "Critical: Budget shop is being spent at 7.2 times the planned rate: $60.00 in the last six hours, "
        "$9.00 of it in the last hour (3 alerts)"
    )
    assert rendered(tmp_path, "spend.subject", template_data([], [SPIKE])) == (
        "Resolved: A service cost far more than usual in one hour (gcp, Cloud Run)"
    )
    assert rendered(tmp_path, "spend.subject", template_data([], [SPIKE, BURNING_FAST])) == (
        "Resolved: A budget is being spent several times faster than planned (shop, month) (2 alerts)"
    )
    assert rendered(tmp_path, "spend.subject", template_data([SPIKE], [BURNING_FAST])) == (
        "Warning: Cloud Run (gcp): +$18.42 above normal in one hour (1 alert, 1 resolved)"
    )


def test_a_follow_up_leads_with_what_is_new(tmp_path: Path) -> None:
    data = template_data([BURNING_FAST, SPIKE])
    for alert in data["alerts"]:
        later = timedelta(minutes=30 if alert["labels"]["alertname"] == SPIKE.name else 0)
        alert["startsAt"] = (STARTED + later).isoformat()
    for template in ("spend.subject", "spend.slack.title"):
        assert rendered(tmp_path, template, data) == (
            "Warning: Cloud Run (gcp): +$18.42 above normal in one hour (2 alerts)"
        )


def test_of_one_severity_the_most_expensive_alert_comes_first(tmp_path: Path) -> None:
    def spike(service: str, text: str) -> Alert:
        return replace(SPIKE, labels={"service_name": service}, description=f"{service}: {text}")

    spikes = [
        spike("Vertex AI", "+$28.39 above normal in one hour."),
        spike("OpenAI", "+$53.25 above normal in one hour."),
        spike("BigQuery", "+$1,053.00 above normal in one hour."),
        spike("Cloud Run", "1,000 requests cost $0.0123."),
        spike("Cloud SQL", "cost more."),
        spike("Gemini", "+$53.29 above normal in one hour."),
    ]
    ordered = ["BigQuery", "Gemini", "OpenAI", "Vertex AI", "Cloud Run", "Cloud SQL"]
    data = template_data(spikes)
    assert rendered(tmp_path, "spend.subject", data).startswith("Warning: BigQuery: +$1,053.00 above")
    assert rendered(tmp_path, "spend.slack.title", data).startswith("Warning: BigQuery: +$1,053.00 above")
    for template in ("spend.email.text", "spend.slack.text"):
        text = rendered(tmp_path, template, data)
        assert sorted(ordered, key=lambda service: text.index(f"{service}: ")) == ordered
    page = e_mail(tmp_path, spikes).text
    assert sorted(ordered, key=lambda service: page.index(f"{service}: ")) == ordered


def test_a_subject_is_one_short_line_whatever_the_alert_says(tmp_path: Path) -> None:
    long = replace(SPIKE, description="Crème\nbrûlée\t<b>'\"&\r\nBcc: all@example.com " + "x" * 500)
    subject = rendered(tmp_path, "spend.subject", template_data([long]))
    assert subject.startswith("Warning: Crème brûlée <b>'\"& Bcc: all@example.com xxx")
    assert len(subject) <= 160
    nameless = replace(SPIKE, severity="", summary="", description="")
    assert rendered(tmp_path, "spend.subject", template_data([nameless])) == "SpendHourlySpike"


def test_an_e_mail_shows_what_where_since_when_and_what_to_do(tmp_path: Path) -> None:
    page = e_mail(tmp_path, INCIDENT)
    for alert in INCIDENT:
        assert alert.summary in page.text
        assert alert.description in page.text
        assert set(alert.annotations().values()) - {alert.summary, alert.description} <= set(page.links)
    assert {"+$18.42", "+$15.07", "$412.90", "$31.80"} <= set(page.bold)
    assert page.text.count("Since Mon 23 Nov 12:30 UTC") == 3
    assert "provider gcp · service_name Cloud Run" in page.text
    assert page.links[-1] == "http://localhost:9093/#/alerts?receiver=spending"
    # Worst first, whatever the order of their names.
    assert page.text.index(BURNING_FAST.summary) < min(
        page.text.index(SPIKE.summary), page.text.index(MODEL.summary)
    )


@pytest.mark.parametrize(
    ("lasted", "shown"),
    [
        (timedelta(seconds=20), "under a minute"),
        (timedelta(minutes=20), "20 min"),
        (timedelta(hours=2, seconds=10), "2 h"),
        (timedelta(hours=30, minutes=5), "30 h 5 min"),
    ],
)
def test_a_resolved_alert_says_how_long_it_lasted(tmp_path: Path, lasted: timedelta, shown: str) -> None:
    page = e_mail(tmp_path, [], [SPIKE], lasted=lasted)
    assert "Spending: the alert is resolved" in page.text
    assert f" after {shown}\n" in page.text
    assert f"Last figures: {SPIKE.description}" in page.text
    assert "Resolved" in page.bold
    text = rendered(tmp_path, "spend.email.text", template_data([], [SPIKE], lasted=lasted))
    assert text.startswith(f"RESOLVED: {SPIKE.summary}\nLast figures: {SPIKE.description}\nResolved on ")
    assert f" after {shown}\n" in text


def test_resolved_alerts_come_after_firing_ones(tmp_path: Path) -> None:
    data = template_data([SPIKE], [BURNING_FAST])
    page = Page(rendered(tmp_path, "spend.email.html", data, "html"))
    assert "1 alert, 1 resolved" in page.text
    assert page.text.rindex(SPIKE.summary) < page.text.rindex(BURNING_FAST.summary)
    text = rendered(tmp_path, "spend.email.text", data)
    assert text.index("WARNING: ") < text.index("RESOLVED: ")


def test_the_plain_text_has_everything_that_the_page_has(tmp_path: Path) -> None:
    text = rendered(tmp_path, "spend.email.text", template_data(INCIDENT))
    for alert in INCIDENT:
        assert f"{alert.severity.upper()}: {alert.summary}\n{alert.description}\n" in text
        assert f"Dashboard:  {alert.annotations()['dashboard_url']}\n" in text
        assert f"What to do: {alert.annotations()['runbook_url']}\n" in text
    assert "\n\n\n" not in text
    assert "<" not in text


@pytest.mark.slow
def test_slack_gets_a_title_a_colour_and_a_line_for_each_alert(tmp_path: Path) -> None:
    data = template_data(INCIDENT)
    assert rendered(tmp_path, "spend.slack.title", data) == rendered(tmp_path, "spend.subject", data)
    odd = replace(SPIKE, description="<!channel> & Cloud Run.")
    assert rendered(tmp_path, "spend.slack.title", template_data([odd])) == (
        "Warning: &lt;!channel&gt; &amp; Cloud Run"
    )
    assert rendered(tmp_path, "spend.slack.color", data) == "#b3261e"
    assert rendered(tmp_path, "spend.slack.color", template_data([SPIKE, HALF_USED])) == "#c77700"
    assert rendered(tmp_path, "spend.slack.color", template_data([HALF_USED])) == "#3b6ea5"
    assert rendered(tmp_path, "spend.slack.color", template_data([], [BURNING_FAST])) == "#2e7d32"
    assert rendered(tmp_path, "spend.slack.link", data) == "http://localhost:9093/#/alerts?receiver=spending"
    assert rendered(tmp_path, "spend.slack.link", template_data([BURNING_FAST, BURNING])).endswith(
        "/d/spend-budgets"
    )
    text = rendered(tmp_path, "spend.slack.text", data)
    assert text.splitlines() == [
        ":red_circle: Budget shop is being spent at 7.2 times the planned rate: *$60.00* in the last six "
        "hours, *$9.00* of it in the last hour. *$412.90* is left for the month.",
        "<http://localhost:3000/d/spend-budgets|Dashboard>  "
        "<https://example.com/runbooks/SpendBudgetBurningFast.md|What to do>",
        ":large_orange_circle: gpt-4o (openai) cost *$31.80* in the last hour at list prices. "
        "The most expensive hour of the week before cost *$9.10*.",
        "<http://localhost:3000/d/spend-llm|Dashboard>  "
        "<https://example.com/runbooks/SpendLlmModelRunningAway.md|What to do>",
        ":large_orange_circle: Cloud Run (gcp): *+$18.42* above normal in one hour. "
        "It cost *$24.00*; *$5.58* is normal. Largest part: CPU Allocation Time, *+$15.07*.",
        "<http://localhost:3000/d/spend-overview|Dashboard>  "
        "<https://example.com/runbooks/SpendHourlySpike.md|What to do>",
    ]
    over = rendered(tmp_path, "spend.slack.text", template_data([], [SPIKE]))
    assert over.startswith(":white_check_mark: Resolved. Last figures: Cloud Run (gcp)")
    assert rendered(tmp_path, "spend.slack.title", template_data([], [SPIKE])) == (
        f"Resolved: {SPIKE.summary} (gcp, Cloud Run)"
    )


@pytest.mark.slow
def test_many_alerts_make_a_message_that_mail_programs_show_in_full(tmp_path: Path) -> None:
    many = [replace(SPIKE, labels={"service_name": f"service-{number:03d}"}) for number in range(300)]
    data = template_data([*many, BURNING_FAST])
    page = rendered(tmp_path, "spend.email.html", data, "html")
    assert len(page.encode()) < 100_000
    assert "Only 20 of 301 alerts are shown. See Alertmanager for the rest." in page
    assert BURNING_FAST.description in Page(page).text
    assert "Only 20 of 301 alerts are shown." in rendered(tmp_path, "spend.email.text", data)
    slack = rendered(tmp_path, "spend.slack.text", data)
    assert "Only 10 of 301 alerts are shown" in slack
    assert len(slack) < 8000


NASTY = """<script>alert("x")</script> '"&amp;<!channel> </div>`{{ .Status }}` $1 ${1} +$5.00 <https://evil.example|x>"""


def test_odd_characters_stay_text(tmp_path: Path) -> None:
    odd = replace(SPIKE, summary=NASTY, description=NASTY, labels={"service_name": NASTY}, severity=NASTY)
    data = template_data([odd])
    plain = e_mail(tmp_path, [SPIKE])
    page = Page(rendered(tmp_path, "spend.email.html", data, "html"))
    assert page.text.count(NASTY) >= 3
    assert page.elements == plain.elements
    assert page.attributes == plain.attributes
    assert NASTY in rendered(tmp_path, "spend.email.text", data)
    for template in ("spend.slack.text", "spend.slack.title"):
        text = rendered(tmp_path, template, data)
        written = re.sub(r"<http[^<>|]+\|(Dashboard|What to do)>", "", text)
        assert not set("<>") & set(written)
        assert NASTY in html.unescape(written.replace("*", ""))


def test_a_link_leads_only_to_web_pages_and_cannot_break_out(tmp_path: Path) -> None:
    odd = replace(SPIKE, runbook_url="javascript:alert(1)")
    assert not any("javascript" in link for link in e_mail(tmp_path, [odd]).links)
    breaking = replace(SPIKE, runbook_url='https://example.com/a"onclick="b|c> <!channel>')
    page = e_mail(tmp_path, [breaking])
    assert page.attributes == e_mail(tmp_path, [SPIKE]).attributes
    text = rendered(tmp_path, "spend.slack.text", template_data([breaking]))
    assert '<https://example.com/a"onclick="b%7Cc%3E%20%3C!channel%3E|What to do>' in text


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    description=st.lists(
        st.sampled_from(
            ["<", ">", "&", "'", '"', "&lt;", "</b>", "<b>", "$1", "5%", "+$3.50", "{{", "é", "🤑", " "]
        ),
        max_size=12,
    ).map("".join)
)
def test_an_e_mail_shows_any_description_exactly_as_it_was_written(tmp_path: Path, description: str) -> None:
    sentence = f"[{description}]"
    page = Page(
        rendered(tmp_path, "spend.email.html", template_data([replace(SPIKE, description=sentence)]), "html")
    )
    assert sentence in page.text
    assert "script" not in page.elements
