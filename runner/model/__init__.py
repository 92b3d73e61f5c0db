"""The vocabulary (docs/glossary.md): frozen values, no I/O."""
