"""Vobiz: trunk credentials and Endpoint users."""
