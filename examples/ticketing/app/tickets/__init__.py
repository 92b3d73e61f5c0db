"""Tickets, and the companies and contacts that they come from."""
