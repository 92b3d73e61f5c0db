"""Hosts: processes with an application that is set up once, which fork a child for each job of its context."""
