"""Immutable values, named by the words of docs/glossary.md. No I/O."""
