"""Entrepôt: brings Linux packages in, inspects them and publishes them as signed APT and RPM repositories."""

__version__ = "0.1.0"
