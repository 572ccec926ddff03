"""The types of configuration fields. Each is parsed from text, has a JSON Schema and explains its errors."""
