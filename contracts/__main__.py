"""Write the files that are generated from the contracts, or check that they are up to date."""

from __future__ import annotations

import argparse

from contracts.documents import ROOT, generated, out_of_date, write


def main() -> int:
    """Write, or with --check say which files are out of date and what to do."""
    parser = argparse.ArgumentParser(prog="python -m contracts", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; fail if out of date")
    check: bool = parser.parse_args().check
    files = generated()
    wrong = out_of_date(ROOT, files)
    if check and wrong:
        print("Out of date: " + ", ".join(wrong))
        print("What to do: run `make contracts` and commit what it writes.")
        return 1
    if not check:
        write(ROOT, files)
    print(f"{len(files)} generated files " + ("are up to date" if check else "written"))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
