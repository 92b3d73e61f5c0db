"""A seeded storm over a real repository and a real store, and what must hold once it is over."""
