"""Repositories, distributions and their versions."""

from __future__ import annotations

from sqlite_utils import Database

from entrepot.catalog.migrations.registry import migrations, table


@migrations()
def repositories_and_versions(db: Database) -> None:
    table(db, "repositories").create(
        {
            "id": int,
            "name": str,
            "format": str,
            "public_url": str,
            "signer": str,
            "sign_with": str,
            "origin": str,
            "label": str,
            "options": str,
            "created_at": str,
        },
        pk="id",
        not_null={"name", "format"},
    )
    table(db, "repositories").create_index(["name"], unique=True)
    table(db, "targets").create(
        {"id": int, "repository_id": int, "url": str, "collections": int},
        pk="id",
        foreign_keys=[("repository_id", "repositories", "id")],
        not_null={"repository_id", "url"},
        defaults={"collections": 0},
    )
    table(db, "targets").create_index(["repository_id", "url"], unique=True)
    table(db, "distributions").create(
        {
            "id": int,
            "repository_id": int,
            "name": str,
            "components": str,
            "architectures": str,
            "policy": str,
            "compressions": str,
            "keep": int,
            "options": str,
            "base_sources": str,
            "created_at": str,
        },
        pk="id",
        foreign_keys=[("repository_id", "repositories", "id")],
        not_null={"repository_id", "name", "base_sources"},
        defaults={"base_sources": "[]"},
    )
    table(db, "distributions").create_index(["repository_id", "name"], unique=True)
    table(db, "versions").create(
        {
            "id": int,
            "distribution_id": int,
            "number": int,
            "message": str,
            "added": int,
            "removed": int,
            "packages": int,
            "created_at": str,
        },
        pk="id",
        foreign_keys=[("distribution_id", "distributions", "id")],
    )
    table(db, "versions").create_index(["distribution_id", "number"], unique=True)
    table(db, "membership").create(
        {
            "id": int,
            "distribution_id": int,
            "package_id": int,
            "component": str,
            "location": str,
            "digest": bytes,
            "added_in": int,
            "removed_in": int,
        },
        pk="id",
        foreign_keys=[("distribution_id", "distributions", "id"), ("package_id", "packages", "id")],
        not_null={"distribution_id", "package_id", "component", "location", "digest", "added_in"},
    )
    table(db, "membership").create_index(["distribution_id", "added_in"])
    table(db, "membership").create_index(["distribution_id", "removed_in"])
    table(db, "membership").create_index(["package_id"])
    table(db, "membership").create_index(["location"])
