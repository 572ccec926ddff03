"""The types of configuration fields. Each one is written as text, has a JSON Schema and explains its errors."""
