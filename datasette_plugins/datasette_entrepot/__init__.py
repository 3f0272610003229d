"""The catalog's pages and HTTP API, as a Datasette plugin. So far only the name is here; nothing registers it."""
