"""Apinizer: the credentials of a project."""
