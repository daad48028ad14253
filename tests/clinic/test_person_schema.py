"""The JSON Schema of the person file."""

import json
from pathlib import Path

from afterglow.clinic.json_schema import person_schema, write_schema
from afterglow.clinic.person import Person

ROOT = Path(__file__).parents[2]


def test_the_shipped_schema_is_up_to_date(tmp_path):
    path = write_schema("person", tmp_path / "new")
    assert path.name == "person.schema.json"
    assert path.read_text(encoding="utf-8") == (ROOT / "docs" / "schema" / path.name).read_text(encoding="utf-8")


def test_the_schema_knows_every_field_and_no_other():
    schema = person_schema()
    assert set(schema["properties"]) == set(Person.model_fields)
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["person"]


def test_tables_are_lines_or_the_name_of_a_file():
    for table in ("doses", "scores", "therapy", "stress"):
        lines, file = person_schema()["properties"][table]["anyOf"]
        assert lines["type"] == "array"
        assert file == {"type": "string"}


def test_bounds_have_the_names_of_json_schema():
    text = json.dumps(person_schema())
    assert '"ge"' not in text
    age = person_schema()["properties"]["age"]["anyOf"][0]
    assert (age["minimum"], age["maximum"]) == (18, 100)
