"""What several plugins need and the core does not: nothing here knows a package format."""
