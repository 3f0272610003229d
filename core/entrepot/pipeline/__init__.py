"""The way of a package from a source or a file into a version: resolve, fetch, inspect, decide, add."""
