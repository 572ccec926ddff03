"""The dashboard's file: what Grafana needs of it, and how the chart hands it over."""

import json

from rendered_chart import CHART, rendered

BOARD = json.loads((CHART / "files" / "dashboard.json").read_text())


def test_the_chart_hands_over_the_file_as_it_stands():
    values = {"grafanaDashboard": {"enabled": True, "labels": {"board": "yes"}}}
    (made,) = [each for each in rendered(values) if each["metadata"]["name"] == "demo-rotator-dashboard"]
    assert made["metadata"]["labels"]["board"] == "yes"
    assert json.loads(made["data"]["rotator.json"]) == BOARD


def test_every_panel_has_a_title_a_description_a_unit_and_a_place_of_its_own():
    panels = BOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len({panel["title"] for panel in panels}) == len(panels)
    taken = set()
    for panel in panels:
        assert panel["description"].endswith((".", ";"))
        assert panel["fieldConfig"]["defaults"]["unit"]
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken
        taken |= cells


def test_every_variable_that_is_used_is_declared_and_every_query_goes_by_the_job():
    declared = {variable["name"] for variable in BOARD["templating"]["list"]}
    assert declared == {"datasource", "job"}
    for panel in BOARD["panels"]:
        assert panel["datasource"]["uid"] == "${datasource}"
        for target in panel["targets"]:
            assert target["expr"].count("rotator_") == target["expr"].count('{job=~"$job"')
