"""What every scanner and every notifier has to do, as tests that its author runs against it (with pytest)::

    from entrepot.testing import ScannerContract

    class TestLicences(ScannerContract):
        settings = {"refused": ["SSPL-1.0"]}

        def make_scanner(self):
            return LicenceScanner()

        def make_format(self):
            return AptFormat()

        def make_package(self, folder):
            return [build_package(folder)]

To see what an assertion compared, put ``pytest.register_assert_rewrite("entrepot.testing")`` into ``conftest.py``
first.
"""

from __future__ import annotations

from entrepot.testing.notifiers import NotifierContract
from entrepot.testing.scanners import ScannerContract

__all__ = ["NotifierContract", "ScannerContract"]
