"""RO-Crates: what version 1.1 says must be there, and hashes that are those of the files."""

import hashlib
import json

import pytest

from afterglow.errors import InputError
from afterglow.interfaces import output
from afterglow.study.export_crate import METADATA, crate, read


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "results"
    place.mkdir()
    (place / "table.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    (place / "figures").mkdir()
    (place / "figures" / "one.png").write_bytes(b"picture")
    output.write_manifest(place, "afterglow compare iv-single --seed 3", {"seed": 3, "weeks": 2.0}, [])
    return place


@pytest.fixture
def graph(folder):
    whole = json.loads(crate(folder, read(folder)))
    assert whole["@context"][0] == "https://w3id.org/ro/crate/1.1/context"
    return {one["@id"]: one for one in whole["@graph"]}


def test_the_descriptor_and_the_root_have_what_they_must(graph):
    head, root = graph[METADATA], graph["./"]
    assert head["@type"] == "CreativeWork"
    assert head["about"] == {"@id": "./"}
    assert head["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.1"}
    assert root["@type"] == "Dataset"
    assert all(root[name] for name in ("name", "description", "datePublished", "license"))


def test_every_file_is_a_part_with_its_hash(folder, graph):
    parts = {one["@id"] for one in graph["./"]["hasPart"]}
    assert parts == {"table.csv", "figures/one.png", "manifest.json"}
    for name in parts:
        assert graph[name]["@type"] == "File"
        assert graph[name]["sha256"] == hashlib.sha256((folder / name).read_bytes()).hexdigest()
        assert int(graph[name]["contentSize"]) == (folder / name).stat().st_size


def test_the_action_names_software_inputs_and_results(graph):
    run = graph["#run"]
    assert run["@type"] == "CreateAction"
    assert run["name"] == "afterglow compare iv-single --seed 3"
    assert graph[run["instrument"]["@id"]]["softwareVersion"] == output.package_version()
    assert {graph[one["@id"]]["name"]: graph[one["@id"]]["value"] for one in run["object"]} == {
        "seed": "3",
        "weeks": "2.0",
    }
    assert {one["@id"] for one in run["result"]} == {one["@id"] for one in graph["./"]["hasPart"]}


def test_every_reference_leads_somewhere(graph):
    def references(x):
        if isinstance(x, dict):
            return [x["@id"]] if x.keys() == {"@id"} else [r for v in x.values() for r in references(v)]
        return [r for v in x for r in references(v)] if isinstance(x, list) else []

    for entity in graph.values():
        for target in references(list(entity.values())):
            assert target in graph or target.startswith("https://w3id.org/"), target


def test_changed_lost_and_added_files_are_told_together(folder):
    (folder / "table.csv").write_text("a,b\n1,3\n", encoding="utf-8")
    (folder / "figures" / "one.png").unlink()
    (folder / "more.txt").write_text("x", encoding="utf-8")
    with pytest.raises(InputError) as told:
        read(folder)
    assert {f.place for f in told.value.faults} == {"table.csv", "figures/one.png", "more.txt"}


def test_another_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="not a result folder"):
        read(tmp_path)
