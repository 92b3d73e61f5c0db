"""The operations behind the commands, one module each.

Operations print nothing. Each returns a value, which `report` turns into text or JSON.
"""
