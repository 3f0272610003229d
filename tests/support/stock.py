"""Many packages in a distribution at once, written to the catalog and the private store without any import."""

from __future__ import annotations

import hashlib

from entrepot.catalog.versions import Addition
from entrepot.models import PackageFile, PackageInfo, Sha256
from support.workspaces import REPOSITORY, Depot


def stock(depot: Depot, *names: str, to: str = "stable") -> int:
    """Makes a version with a package of each name; answers its number. What is in the files is no package."""
    workspace = depot.workspace
    catalog, now = workspace.catalog, workspace.now()
    distribution = catalog.repositories.distribution(f"{REPOSITORY}/{to}")
    with catalog.transaction():
        additions = []
        for name in names:
            info = _info(depot, name)
            location = workspace.format("apt").tree.location(info, distribution, "main")
            additions.append(Addition(catalog.packages.add(info, now), info, "main", location))
        return catalog.versions.create(distribution, additions, [], "stock", now).number


def _info(depot: Depot, name: str) -> PackageInfo:
    content = f"{name}\n".encode()
    sha256 = Sha256(hashlib.sha256(content).hexdigest())
    depot.workspace.store.storage.write(depot.workspace.store.key(sha256), content)
    raw = f"Package: {name}\nVersion: 1.0\nArchitecture: amd64\nSize: {len(content)}\nSHA256: {sha256}"
    return PackageInfo(
        format="apt",
        kind="binary",
        name=name,
        version="1.0",
        version_key=depot.workspace.format("apt").versions.key("1.0"),
        architecture="amd64",
        source_name=name,
        summary="",
        section="",
        raw=raw.encode(),
        files=(PackageFile(f"{name}_1.0_amd64.deb", len(content), sha256),),
    )
