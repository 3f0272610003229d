"""The use cases, each once: what the command line and the web call. Nothing else writes to the catalog for them."""
