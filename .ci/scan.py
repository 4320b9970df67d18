"""Asks whether a vulnerability is known in any library of a lock file, and never says "none" without having asked.

    python .ci/scan.py [LOCK…]

pip-audit by itself is green where the advisories cannot be reached: it skips what it does not find. So it is first
asked about a version of a library whose vulnerability has been known since 2019; only an answer that names it counts.
Exit status: 0 none is known; 1 some are; 3 nobody could be asked, and nothing is known.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parents[1]
LOCKS = ("requirements.lock", "requirements-dev.lock")
# CVE-2019-10906, https://osv.dev/vulnerability/PYSEC-2019-217; the hash is of the archive that PyPI had of it.
KNOWN_BAD = "jinja2==2.10 --hash=sha256:f84be1bb0040caca4cea721fcbbbbd61f9be9464ca236387158b0feea01914a4\n"
SECONDS = 300


def main(locks: list[str]) -> int:
    """Returns the exit status."""
    with TemporaryDirectory() as folder:
        known_bad = Path(folder, "known-bad.txt")
        known_bad.write_text(KNOWN_BAD, "utf-8")
        found = audited(known_bad)
    if not any(one.get("vulns") for one in found):
        sys.stderr.write(
            "NOT SCANNED: no database of advisories can be reached from here; nothing is known\n"
        )
        return 3
    return max(told(lock, audited(ROOT / lock)) for lock in locks or LOCKS)


def told(lock: str, found: list[dict[str, Any]]) -> int:
    """Says what was found in one lock; returns the exit status for it."""
    skipped = [one["name"] for one in found if "skip_reason" in one]
    bad = [(one, vulnerability) for one in found for vulnerability in one.get("vulns", ())]
    for one, vulnerability in bad:
        fixed = ", ".join(vulnerability["fix_versions"]) or "no version yet"
        sys.stdout.write(
            f"{lock}: {one['name']} {one['version']}: {vulnerability['id']}, mended in {fixed}\n"
        )
    if skipped or not found:
        sys.stderr.write(f"{lock}: NOT SCANNED: {', '.join(skipped) or 'everything'}\n")
    elif not bad:
        sys.stdout.write(f"{lock}: {len(found)} libraries, no known vulnerability\n")
    return 1 if bad else 3 if skipped or not found else 0


def audited(requirements: Path) -> list[dict[str, Any]]:
    """What pip-audit says of each library; nothing where it breaks off."""
    try:
        done = subprocess.run(
            [
                *(
                    sys.executable,
                    "-m",
                    "pip_audit",
                    "--disable-pip",
                    "--require-hashes",
                    "--progress-spinner=off",
                ),
                *("--format=json", "--timeout=10", f"--requirement={requirements}"),
            ],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        answer: dict[str, list[dict[str, Any]]] = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError):
        return []
    return answer["dependencies"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
